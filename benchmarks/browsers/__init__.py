"""The site and a fault page in Chromium, Firefox and WebKit, each as its makers built it, through the page's controls.

Those that are installed are tried. `docs/browsers.md` is written anew if all are.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from benchmarks.browsers import chromium, firefox, page, site, visit, webkit
from benchmarks.browsers.driver import Browser, Fault
from fns_lab.errors import first_line, one_line
from fns_lab.files import write_text
from fns_lab.paths import ROOT

PAGE = ROOT / "docs" / "browsers.md"
BROWSERS = {"Chromium": (chromium.program, chromium.Chromium), "Firefox": (firefox.program, firefox.Firefox),
            "WebKit": (webkit.program, webkit.WebKit)}  # fmt: skip
"""By name: whether it is installed, and what starts it."""
INSTALL = {"Chromium": "chromium", "Firefox": "firefox-esr xvfb", "WebKit": "webkit2gtk-driver xvfb"}
"""Debian's packages."""
WORST_PIXEL = 1
"""Of 255: what rounding to bytes may make of float32's own rounding."""
WRONG = 0.05
"""Largest error of the benchmark's image that counts as right, of 255."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    names = [name for name, (program, _) in BROWSERS.items() if program()]
    result = run(names)
    if len(names) == len(BROWSERS):
        write_text(PAGE, page.text(result["rows"]))
    return result


def run(names: list[str]) -> dict:
    """Try everything in each browser.

    Returns a JSON object with `title` and `rows`, one row per browser and thing tried: `browser` with its version,
    `tried`, `engine`, `result` in words, `right`.
    """
    net = site.small_net()
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = site.write_site(net, Path(name))
        site.write_fault_page(folder / "fault.html")
        with site.serving_folder(folder) as address:
            for kind in names:
                browser = BROWSERS[kind][1]()
                try:
                    rows += tried(browser, address, site.styled_by_torch(net, site.SIZE))
                finally:
                    browser.close()
    return {"title": f"the site in {', '.join(names)}", "rows": rows}


def tried(browser: Browser, address: str, expected: np.ndarray) -> list[dict[str, Any]]:
    """Return the rows of one browser."""
    rows = []

    def add(what: str, engine: str, result: str, right: bool) -> None:
        rows.append({"browser": browser.name, "tried": what, "engine": engine, "result": result, "right": right})

    faults = visit.opened(browser, address)
    isolated = visit.isolate(browser, address)
    add("threads for wasm", "", "yes" if isolated else "no: the page is not cross-origin isolated", True)
    for target, fault in faults.items():
        if fault:
            add("style", target, fault, True)
            continue
        try:
            pixels, _ = visit.styled(browser, target)
            worst = int(np.abs(pixels.astype(int) - expected.reshape(-1, 3)).max())
            add("style", target, f"largest difference {worst} of 255", worst <= WORST_PIXEL)
        except (Fault, ValueError) as error:
            add("style", target, one_line(error), False)
    usable = [target for target, fault in faults.items() if not fault]
    results = visit.benchmarked(browser, models=["small"], engines=usable, sizes=["32x32"], rounds=2)
    for row in results["rows"]:
        right = "fault" not in row and row["max_abs"] <= WRONG
        add("benchmark", row["target"], row.get("fault") or f"{row['file']}: error {row['max_abs']:.1g}", right)
    fault = visit.fault_shown(browser, address + "fault.html")
    add("fault page", site.FAULT_TARGET, fault["result"], fault["state"] in ("error", "stopped"))
    add("console", "", console(browser.errors), not browser.errors)
    return rows


def console(errors: list[str] | None) -> str:
    """Return how many errors a browser's console has, and the first line of each."""
    if errors is None:
        return "cannot be read"
    count = f"{len(errors) or 'no'} error{'s' * (len(errors) != 1)}"
    return f"{count}: {'; '.join(map(first_line, errors))}" if errors else count


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])
