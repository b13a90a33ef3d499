"""What pip cannot bring: left alone when it is there, one line with the fix when it cannot be had."""

from __future__ import annotations

import pytest

from fns_lab import install
from fns_lab.paths import ROOT


def test_engines_that_are_there_are_left_alone(capsys):
    if not (ROOT / "node_modules").is_dir():
        pytest.skip("the npm engines are not installed: run `make setup`")
    before = (ROOT / "node_modules").stat().st_mtime_ns
    assert install.main(["engines"]) == 0
    assert "engines: ready" in capsys.readouterr().out
    assert (ROOT / "node_modules").stat().st_mtime_ns == before


@pytest.mark.browser
def test_a_browser_that_starts_is_left_alone(capsys):
    assert install.main(["browser"]) == 0
    assert capsys.readouterr().out == "browser: one starts\n"


def test_a_browser_that_cannot_be_had_is_one_line_and_not_fatal_for_the_rest(capsys, monkeypatch):
    monkeypatch.setenv("FNS_LAB_BROWSER", "/nowhere/chromium")
    assert install.main(["browser"]) == 3
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("browser: missing, the rest works without it: ")
    assert "/nowhere/chromium" in err
    assert err.count("\n") == 1


def test_an_unknown_unit_is_named(capsys):
    assert install.main(["browsers"]) == 2
    assert "'browsers'; there are: engines, browser" in capsys.readouterr().err
