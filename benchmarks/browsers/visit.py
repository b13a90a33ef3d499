"""What is tried in each browser: the site's pages, through their own controls, and a fault page."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from benchmarks.browsers.driver import Browser, Fault

DONE_S = 600.0
POLL_S = 0.5
ENGINES = """[...document.querySelectorAll("#style-engine option")].map((option) =>
    [option.value, option.disabled ? option.title : ""])"""
CHOOSE = """(() => {
    const control = document.getElementById(%s);
    if (control.multiple) for (const option of control.options) option.selected = %s.includes(option.value);
    else control.value = %s;
    control.dispatchEvent(new Event("change"));
})()"""
PIXELS = """(() => {
    const canvas = document.getElementById("style-after");
    return [...canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data];
})()"""
KEEP_SAVED = """(() => {
    const address = URL.createObjectURL;
    globalThis.saved = null;
    URL.createObjectURL = (blob) => { globalThis.saved = blob; return address.call(URL, blob); };
    document.getElementById("benchmark-json").click();
    URL.createObjectURL = address;
    return globalThis.saved.text();
})()"""
FAULT = """({ state: document.body.dataset.state, result: document.getElementById("result").textContent })"""


def until(browser: Browser, expression: str) -> Any:
    """Wait until an expression is true and return its value. Raises `Fault` when that takes too long."""
    end = time.monotonic() + DONE_S
    while time.monotonic() < end:
        if value := browser.evaluate(expression):
            return value
        time.sleep(POLL_S)
    raise Fault(f"still not true after {DONE_S:.0f} s: {expression}")


def opened(browser: Browser, address: str) -> dict[str, str]:
    """Open the site and return why each engine cannot be chosen, empty if it can."""
    browser.open(address)
    until(browser, "document.getElementById('style-engine')?.options.length")
    _styled_text(browser)
    return dict(browser.evaluate(ENGINES))


def isolate(browser: Browser, address: str) -> bool:
    """Open the site once more with its service worker; return whether that isolates it, as threads need."""
    browser.evaluate("navigator.serviceWorker.ready.then(() => true)")
    opened(browser, address)
    return bool(browser.evaluate("crossOriginIsolated"))


def choose(browser: Browser, control: str, *values: str) -> None:
    """Choose values in one of the page's lists."""
    texts = json.dumps(control), json.dumps(values), json.dumps(values[0])
    browser.evaluate(CHOOSE % texts)


def styled(browser: Browser, target: str) -> tuple[np.ndarray, str]:
    """Style the image that is shown in an engine; return the pixels `(H * W, 3)`, 0..255, and what the page says."""
    browser.evaluate("document.getElementById('style-status').replaceChildren()")
    choose(browser, "style-engine", target)
    text = _styled_text(browser)
    if " ms in " not in text:
        raise Fault(text)
    pixels = np.array(browser.evaluate(PIXELS), dtype=np.uint8).reshape(-1, 4)[:, :3]
    return pixels, text


def _styled_text(browser: Browser) -> str:
    says = "document.getElementById('style-status').textContent"
    return str(until(browser, f"/ ms in |stopped|No engine/.test({says}) && {says}"))


def benchmarked(
    browser: Browser, *, models: Sequence[str], engines: Sequence[str], sizes: Sequence[str], rounds: int
) -> dict[str, Any]:
    """Run the benchmark page and return the JSON that its button saves."""
    for control, values in (("models", models), ("engines", engines), ("sizes", sizes)):
        choose(browser, f"benchmark-{control}", *values)
    browser.evaluate(f"document.getElementById('benchmark-rounds').value = {rounds}")
    browser.evaluate("document.getElementById('benchmark-run').click()")
    until(browser, "/^(Done|Choose)/.test(document.getElementById('benchmark-status').textContent)")
    return dict(json.loads(browser.evaluate(KEEP_SAVED)))


def fault_shown(browser: Browser, address: str) -> dict[str, str]:
    """Open a fault page; return its `state` and `result`."""
    browser.open(address)
    until(browser, "document.body.dataset.state !== 'running'")
    return dict(browser.evaluate(FAULT))
