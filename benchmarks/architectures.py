"""How many public architectures run, after lowering, in runtimes without their newer ops.

torchvision's networks, and small ones of torch's LSTM, GRU and attention, with seeded weights, exported at opset 18.
Each is lowered and run in the real engine; its outputs are compared with ONNX Runtime's of the network as exported.
With every target, `docs/architectures.md` is written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import page, runs
from benchmarks.networks import IMAGES, SEQUENCES, SIZE_PX, Architecture
from fns_lab.files import write_text
from fns_lab.paths import ROOT

PAGE = ROOT / "docs" / "architectures.md"
TARGETS = (
    "onnxjs-0.1.8/cpu",
    "onnxjs-0.1.8/wasm",
    "onnxjs-0.1.8/webgl",
    "ort-web/wasm",
    "ort-web/webgl",
    "ort-web/webgpu",
)
HEAD = f"""\
# Public architectures

<!-- Written by `python -m benchmarks architectures`. -->

torchvision's networks and small ones of torch's own layers, with seeded weights, exported at opset 18 for an image of
{SIZE_PX} x {SIZE_PX} pixels, lowered for each target and run there in the real engine.

{page.NUMBERS}"""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    result = run((*IMAGES, *SEQUENCES), options.target or TARGETS)
    if not options.target:
        write(PAGE, result)
    return result


def run(names: Sequence[str], targets: Sequence[str]) -> dict:
    """Lower each architecture for each target and run it there.

    Returns a JSON object with `title` and `rows`, one row per architecture and target as `runs.row` returns it, with
    `mb`, the megabytes as exported.
    """
    from tqdm import tqdm

    rows = []
    for name in tqdm(names, desc="architectures"):
        architecture = Architecture(name)
        size = {"mb": round(architecture.model.ByteSize() / 1e6, 1)}
        rows += [runs.row(architecture, target) | size for target in targets]
    return {"title": f"{len(names)} architectures at {SIZE_PX} x {SIZE_PX} pixels", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def write(path: Path, result: dict) -> None:
    """Write the page about a result."""
    names = list(dict.fromkeys(row["model"] for row in result["rows"]))
    write_text(path, f"{HEAD}\n{page.results(names, result['rows'])}")
