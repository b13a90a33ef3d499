"""The preview in a real JupyterLab: milliseconds from a control to the picture, beyond what the engine takes.

In turns, in the kernel and in the page's own engine, at 256 x 256 pixels and width 16: another image is chosen, and the
clock stops when the canvas has the new pixels. `load` is the machine's load over the last minute: a busy machine
measures itself.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.jupyterlab import control, lab_server, run_all, status
from fns_lab.paths import SAVED_MODELS

SIZE = (256, 256)
PLACES = ("ort/cpu", "ort-web/wasm, in this browser")
MOST_MS = {PLACES[0]: 100.0, PLACES[1]: 150.0}
"""Milliseconds that may pass beyond the engine's own."""
WATCH = """() => {
    const put = CanvasRenderingContext2D.prototype.putImageData;
    CanvasRenderingContext2D.prototype.putImageData = function (...values) {
        put.apply(this, values);
        if (this.canvas.className === "after") window.painted?.(performance.now());
    };
}"""
CHANGE = """(name) => new Promise((resolve) => {
    const select = document.querySelector(".fns-preview select[aria-label=image]");
    const start = performance.now();
    window.painted = (end) => { window.painted = null; resolve(end - start); };
    select.selectedIndex = [...select.options].findIndex((option) => option.text === name);
    select.dispatchEvent(new Event("change"));
})"""
CELL = """from functools import partial
from fns_lab.export import onnx_from_checkpoint
from fns_lab.views.widgets import StylePreview
networks = {{"mosaic_nc16": partial(onnx_from_checkpoint, {path!r})}}
preview = StylePreview(networks, sizes=[{size}], engines=["ort/cpu"], browser_engines=["ort-web/wasm"])
preview"""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(SAVED_MODELS / "mosaic_nc16.pth", SIZE, options.runs)


def run(checkpoint: Path, size: tuple[int, int], runs: int) -> dict:
    """Change the image `runs` times in each place.

    Returns a JSON object with `title` and `rows`, one row per place: median, p10 and p90 of the milliseconds from the
    control to the picture beyond the engine's own (`ms_...`), the median of the engine's own, the load. `right`: the
    median is within `MOST_MS`, or the machine had more to do than it has cores.
    """
    from fns_lab.runtimes.chromium import shared_chromium

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_notebook(folder / "preview.ipynb", checkpoint, size)
        chromium = shared_chromium()
        with lab_server(folder) as (url, _):
            beyond, inside, loads = chromium.run(_measured(chromium, url.format("preview.ipynb"), runs))
    rows = []
    for place in PLACES:
        p10, median, p90 = np.quantile(beyond[place], [0.1, 0.5, 0.9])
        load = float(np.mean(loads[place]))
        rows.append({
            "place": place, "ms_median": median, "ms_p10": p10, "ms_p90": p90,
            "engine_ms": float(np.median(inside[place])), "most_ms": MOST_MS[place], "runs": runs, "load": load,
            "right": bool(median <= MOST_MS[place] or load > (os.cpu_count() or 1)),
        })  # fmt: skip
    return {"title": f"from a control to the picture, {size[0]} x {size[1]} pixels, width 16", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def write_notebook(path: Path, checkpoint: Path, size: tuple[int, int]) -> None:
    """Write a notebook that shows a preview of one network at one size."""
    source = CELL.format(path=str(checkpoint.resolve()), size=size)
    cells = [_cell("show", source), _cell("end", 'print("all ran")')]
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook = {"cells": cells, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook), encoding="utf-8")


def _cell(name: str, source: str) -> dict:
    return {
        "cell_type": "code", "id": name, "source": source, "metadata": {}, "outputs": [], "execution_count": None,
    }  # fmt: skip


async def _measured(chromium, url: str, runs: int) -> tuple[dict, dict, dict]:
    """Return the milliseconds beyond the engine's, the engine's, and the loads, by place."""
    page = await run_all(await chromium.browser(), url, re.compile("all ran"))
    await page.evaluate(WATCH)
    beyond, inside, loads = ({place: [] for place in PLACES} for _ in range(3))
    names = await control(page, "image").locator("option").all_text_contents()
    for i in range(runs + 1):
        for place in PLACES:
            await control(page, "engine").select_option(place)
            done = re.compile(rf"^{place.replace(',', '')}: .*regular model")
            await status(page, done)
            total = await page.evaluate(CHANGE, names[(i + 1) % 3] if place == PLACES[0] else names[3 + i % 2])
            engine = float(re.search(r"ran in (\d+) ms", await status(page, done))[1])
            if i:  # the first time, engine and model are loaded
                beyond[place].append(total - engine)
                inside[place].append(engine)
                loads[place].append(os.getloadavg()[0])
    await page.context.close()
    return beyond, inside, loads
