"""The site and a fault page in Firefox and in WebKit, where they are installed."""

from __future__ import annotations

import pytest

from benchmarks.browsers import BROWSERS, INSTALL, console, page, run, site, visit

OTHERS = [name for name in BROWSERS if name != "Chromium"]
KNOWN_FAULTS = {"WebKit": {"ort-web/webgl", "onnxjs-0.1.8/webgl"}}
"""Engines that do not run on the site: WebKitGTK has WebGL in a page, but not in a worker."""


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("name", OTHERS)
def test_the_site_and_a_fault_page_work(name):
    if not BROWSERS[name][0]():
        pytest.skip(f"{name} is not installed: apt-get install {INSTALL[name]}")
    rows = run([name])["rows"]
    wrong = [row for row in rows if not row["right"]]
    assert {row["engine"] for row in wrong} <= KNOWN_FAULTS.get(name, set()), wrong
    tried = {(row["tried"], row["engine"]) for row in rows}
    assert {("style", "ort-web/wasm"), ("benchmark", "onnxjs-0.1.8/wasm"), ("fault page", site.FAULT_TARGET)} <= tried
    assert next(row["result"] for row in rows if row["tried"] == "style").startswith("largest difference")


def test_the_page_about_browsers_marks_what_is_not_right():
    rows = [
        {"browser": "A 1", "tried": "style", "engine": "ort-web/wasm", "result": "largest difference 0", "right": True},
        {"browser": "B 2", "tried": "style", "engine": "ort-web/wasm", "result": "a | crash", "right": False},
    ]
    text = page.text(rows)
    assert "## A 1\n\n1 tried, no faults." in text
    assert "| style | `ort-web/wasm` | **a \\| crash** |" in text


def test_errors_of_the_console_are_counted_and_named():
    assert console(None) == "cannot be read"
    assert console([]) == "no errors"
    assert console(["a is missing\n at line 3"]) == "1 error: a is missing"
    assert console(["a is missing", "eval is refused\n at line 4"]) == "2 errors: a is missing; eval is refused"


def test_what_is_waited_for_too_long_is_a_fault(monkeypatch):
    class Still:
        def evaluate(self, expression):
            return False

    monkeypatch.setattr(visit, "DONE_S", 0.0)
    with pytest.raises(visit.Fault, match="still not true after 0 s: false"):
        visit.until(Still(), "false")
