"""Installing what pip does not: nothing where it is installed, one line with the fix where it cannot be."""

from __future__ import annotations

import gc
import time

import pytest

from fns_lab import targets
from fns_lab.errors import MissingError
from fns_lab.paths import ROOT
from fns_lab.runtimes import engines as browser_engines
from fns_lab.runtimes import install


def test_installed_engines_are_not_touched(capsys):
    if not (ROOT / "node_modules").is_dir():
        pytest.skip("the npm engines are not installed: run `make setup`")
    before = (ROOT / "node_modules").stat().st_mtime_ns
    assert install.main(["engines"]) == 0
    assert "engines: ready" in capsys.readouterr().out
    assert (ROOT / "node_modules").stat().st_mtime_ns == before


@pytest.mark.browser
def test_a_browser_that_starts_is_not_replaced(capsys):
    assert install.main(["browser"]) == 0
    assert capsys.readouterr().out == "browser: one starts\n"


def test_a_missing_browser_is_reported_in_one_line(capsys, monkeypatch):
    monkeypatch.setenv("FNS_LAB_BROWSER", "/nowhere/chromium")
    assert install.main(["browser"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("browser: missing, the rest works without it: ")
    assert "/nowhere/chromium" in err
    assert err.count("\n") == 1


def test_a_driver_that_does_not_start_is_reported_in_one_line_and_leaves_nothing_open(capsys, monkeypatch, tmp_path):
    """As where a library is missing that it is linked with. It closes its pipe before it ends."""
    driver, ended = tmp_path / "node", tmp_path / "ended"
    driver.write_text(f"#!/bin/sh\nexec 1>&-\nsleep 0.5\ntouch '{ended}'\nexit 127\n", encoding="utf-8")
    driver.chmod(0o755)
    monkeypatch.setenv("PLAYWRIGHT_NODEJS_PATH", str(driver))
    monkeypatch.setenv("FNS_LAB_BROWSER", "/bin/true")  # so that nothing is installed
    assert install.main(["browser"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert "Playwright's driver does not start" in line
    assert ended.exists()
    gc.collect()  # what is still open is a warning now, which is an error here


def test_a_browser_that_stays_silent_is_given_up(capsys, monkeypatch, tmp_path):
    silent = tmp_path / "chromium"
    silent.write_text("#!/bin/sh\nexec sleep 100\n", encoding="utf-8")
    silent.chmod(0o755)
    monkeypatch.setenv("FNS_LAB_BROWSER", str(silent))
    monkeypatch.setattr("fns_lab.runtimes.chromium.LAUNCH_S", 1.0)
    started = time.monotonic()
    assert install.main(["browser"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert str(silent) in line and "Timeout 1000ms exceeded" in line
    assert time.monotonic() - started < 90, "without a limit Playwright waits for 180 s"


def test_an_unknown_unit_is_named(capsys):
    assert install.main(["browsers"]) == 2
    assert "'browsers'; there are: engines, browser" in capsys.readouterr().err


@pytest.mark.parametrize("manifest", ["{", "[]", "{}", '{"version": "0.1.8"}'])
def test_a_package_that_is_there_in_part_is_named_with_its_fix(tmp_path, monkeypatch, manifest):
    package = tmp_path / "onnxjs-0.1.8"
    package.mkdir()
    (package / "package.json").write_text(manifest)
    monkeypatch.setattr(browser_engines, "NODE_MODULES", tmp_path)
    with pytest.raises(MissingError, match="run `(npm ci|fns-lab fetch engines)`"):
        browser_engines.engine_for(targets.load("onnxjs-0.1.8/wasm"))
