"""Memory of the kernel and of the reader's browser while previews run for minutes, in a real JupyterLab.

In turns, another image is chosen for an engine in the kernel and for one in the page. After each run the page collects
its garbage, and the proportional set size of the kernel, and of all processes of the browser, is read. `--minutes` says
for how long; the curve is written to `docs/memory.svg`, the numbers to `reports/memory.csv`. `grown_mib` is the median
of the last quarter beyond that of the second: in the first one engines and models are loaded.
"""

from __future__ import annotations

import asyncio
import re
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
import psutil

from benchmarks.jupyterlab import control, lab_server, run_all, status
from benchmarks.preview import CHANGE, PLACES, WATCH, write_notebook
from fns_lab.files import atomic_write
from fns_lab.limits import MIB
from fns_lab.paths import REPORTS, ROOT, SAVED_MODELS

CURVE = ROOT / "docs" / "memory.svg"
SIZE = (128, 192)
WHERE = ("kernel", "browser")
MOST_GROWN = 0.1
"""Part by which memory may grow from the second quarter of the time to the last."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(SAVED_MODELS / "mosaic_nc8.pth", 60 * options.minutes, CURVE)


def run(checkpoint: Path, seconds: float, curve: Path) -> dict:
    """Return a JSON object with `title` and one row per process; `right`: grown by less than `MOST_GROWN`."""
    from fns_lab.runtimes.chromium import shared_chromium

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_notebook(folder / "preview.ipynb", checkpoint, SIZE)
        chromium = shared_chromium()
        with lab_server(folder) as (url, server):
            samples = chromium.run(_sampled(chromium, url.format("preview.ipynb"), server.pid, seconds))
    samples.to_csv(REPORTS / "memory.csv", index=False)
    _draw(samples, curve)
    quarters = [samples.iloc[rows] for rows in np.array_split(np.arange(len(samples)), 4)]
    rows = []
    for where in WHERE:
        second, last = (float(quarters[index][where].median()) for index in (1, 3))
        rows.append({
            "what": where, "minutes": round(float(samples["minutes"].iloc[-1]), 1), "runs": len(samples),
            "least_mib": float(samples[where].min()), "most_mib": float(samples[where].max()),
            "grown_mib": last - second, "right": last <= second * (1 + MOST_GROWN),
        })  # fmt: skip
    return {"title": f"memory of a preview of {SIZE[0]} x {SIZE[1]} pixels, width 8", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


async def _sampled(chromium, url: str, server: int, seconds: float) -> pd.DataFrame:
    """Return `minutes`, `kernel` and `browser`, in MiB, after each run."""
    page = await run_all(await chromium.browser(), url, re.compile("all ran"))
    await page.evaluate(WATCH)
    names = await control(page, "image").locator("option").all_text_contents()
    started, rows = time.monotonic(), []
    while time.monotonic() < started + seconds:
        place = PLACES[len(rows) % len(PLACES)]
        await control(page, "engine").select_option(place)
        await status(page, re.compile(rf"^{place.replace(',', '')}: .*regular model"))
        await page.evaluate(CHANGE, names[(len(rows) + 1) % len(names)])
        await page.request_gc()
        kernel = await asyncio.to_thread(_mib, psutil.Process(server), "ipykernel")
        browser = await asyncio.to_thread(_mib, psutil.Process(), "chrom")
        rows.append({"minutes": (time.monotonic() - started) / 60, "kernel": kernel, "browser": browser})
    await page.context.close()
    return pd.DataFrame(rows)


def _mib(root: psutil.Process, word: str) -> float:
    """Return the memory of those of a process's children whose command has a word in it."""
    total = 0
    for process in root.children(recursive=True):
        try:
            if word in " ".join(process.cmdline()):
                total += process.memory_full_info().pss
        except psutil.Error:  # it has ended
            continue
    return total / MIB


def _draw(samples: pd.DataFrame, path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3), layout="constrained")
    axes = figure.subplots()
    for where in WHERE:
        axes.plot(samples["minutes"], samples[where], label=where, linewidth=1)
    axes.set(xlabel="minutes", ylabel="MiB", ylim=(0, None))
    axes.legend()
    with atomic_write(path) as temporary:
        figure.savefig(temporary, format="svg", metadata={"Date": None})
