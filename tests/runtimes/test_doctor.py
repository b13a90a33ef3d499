"""`doctor` reports what works here, and a fix for what does not."""

from __future__ import annotations

import pytest

from fns_lab.runtimes.doctor import diagnose

CHECKED = [
    "torch device", "node", "npm", "opencv-python-headless", "openvino", "onnxruntime", "tract",
    "onnxjs-0.1.3", "onnxjs-0.1.4", "onnxjs-0.1.8", "onnxruntime-web", "browser", "WebGL", "WebGPU", "wasm threads",
]  # fmt: skip


@pytest.mark.browser
def test_everything_works_here():
    diagnostics = diagnose()
    assert [diagnostic.name for diagnostic in diagnostics] == CHECKED
    assert [str(diagnostic) for diagnostic in diagnostics if not diagnostic.ok] == []
    assert all(diagnostic.detail and not diagnostic.fix for diagnostic in diagnostics)


def test_what_is_missing_comes_with_its_fix(monkeypatch, tmp_path):
    monkeypatch.setenv("FNS_LAB_BROWSER", "/no/such/browser")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("fns_lab.runtimes.doctor.sys.executable", str(tmp_path / "python"))
    monkeypatch.setattr("fns_lab.runtimes.packages.installed_version", {"onnxruntime": "1", "tract": "0.1"}.get)
    monkeypatch.setattr("fns_lab.runtimes.engines.NODE_MODULES", tmp_path)
    diagnostics = {diagnostic.name: diagnostic for diagnostic in diagnose()}
    assert list(diagnostics) == CHECKED
    for name in set(CHECKED[1:]) - {"onnxruntime"}:
        assert not diagnostics[name], name
        assert diagnostics[name].fix, name
    assert "fetch engines" in diagnostics["onnxjs-0.1.8"].fix
    assert diagnostics["tract"].detail == "0.1 installed, 0.23.9 wanted"
    assert "pip install tract==0.23.9" in diagnostics["tract"].fix
    assert "/no/such/browser" in diagnostics["browser"].detail
