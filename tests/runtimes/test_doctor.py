"""The doctor finds what is there, and says what to do about what is not."""

from __future__ import annotations

import pytest

from fns_lab.runtimes.doctor import diagnose

LOOKED_AT = [
    "torch device", "node", "npm", "opencv-python-headless", "openvino", "onnxruntime", "tract",
    "onnxjs-0.1.3", "onnxjs-0.1.4", "onnxjs-0.1.8", "onnxruntime-web", "browser", "WebGL", "WebGPU", "wasm threads",
]  # fmt: skip


@pytest.mark.browser
def test_everything_is_found_here():
    findings = diagnose()
    assert [finding.name for finding in findings] == LOOKED_AT
    assert [str(finding) for finding in findings if not finding.ok] == []
    assert all(finding.detail and not finding.fix for finding in findings)


def test_what_is_missing_comes_with_its_fix(monkeypatch, tmp_path):
    monkeypatch.setenv("FNS_LAB_BROWSER", "/no/such/browser")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("fns_lab.runtimes.doctor.sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("fns_lab.runtimes.packages.installed_version", {"onnxruntime": "1", "tract": "0.1"}.get)
    monkeypatch.setattr("fns_lab.runtimes.engines.NODE_MODULES", tmp_path)
    findings = {finding.name: finding for finding in diagnose()}
    assert list(findings) == LOOKED_AT
    for name in set(LOOKED_AT[1:]) - {"onnxruntime"}:
        assert not findings[name], name
        assert findings[name].fix, name
    assert "npm ci" in findings["onnxjs-0.1.8"].fix
    assert findings["tract"].detail == "0.1 installed, 0.23.9 wanted"
    assert "pip install tract==0.23.9" in findings["tract"].fix
    assert "/no/such/browser" in findings["browser"].detail
