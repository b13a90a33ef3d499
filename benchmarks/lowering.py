"""What lowering by rules gains over writing the layers in basic ops, in the same engine on the same image.

Both models come from one network. `base ops` is the network exported with its layers in basic ops, converted to
the target's opset; `lowered` is the regular export, rewritten for the target.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from onnx import ModelProto

from fns_lab import models, photos
from fns_lab.compare import IMAGE_ACROSS_ENGINES, measure_image
from fns_lab.compare.metrics import IMAGE_PEAK
from fns_lab.export import onnx_from_torch
from fns_lab.measure.bench import Feeds, bench
from fns_lab.nets import base_ops, checkpoints
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import run_in
from fns_lab.targets import Target, load

TARGETS = ("onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl", "ort-web/wasm")
REFERENCE = "ort/cpu"
Contenders = Callable[[ModelProto, ModelProto, Target, Feeds], Mapping[str, ModelProto]]


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.checkpoint, options.size, options.target or TARGETS, runs=options.runs)


def run(checkpoint: Path, size: tuple[int, int], targets: Sequence[str] = TARGETS, *, runs: int) -> dict:
    """Time `base ops` and `lowered` in turns."""

    def contenders(regular: ModelProto, rewritten: ModelProto, target: Target, feeds: Feeds) -> dict[str, ModelProto]:
        return {"base ops": lower(rewritten, target).model, "lowered": lower(regular, target).model}

    return time_in_turns(checkpoint, size, targets, contenders, runs=runs)


def time_in_turns(
    checkpoint: Path, size: tuple[int, int], targets: Sequence[str], contenders: Contenders, *, runs: int
) -> dict:
    """Time models of one network in every target at `size` `(H, W)`, in turns.

    `contenders(regular, rewritten, target, feeds)` makes the models, by label, of the regular export and the one in
    basic ops. Returns a JSON object with `title`, `network`, `device`, `inputs` and `rows`. A row has the columns of
    `Timings.table` and three more:

    - `nodes`: nodes of the model
    - `max_abs`: largest error of the image against the regular model in ONNX Runtime, 0..255; None without an image
    - `right`: whether that error is within the tolerance
    """
    net = checkpoints.load(checkpoint)
    regular, rewritten = onnx_from_torch(net, size), onnx_from_torch(base_ops.to_base_ops(net), size)
    feeds = {"input": photos.load("astronaut", size)}
    expected = run_in(REFERENCE)(regular, feeds)["output"]
    timed, rows = {}, []
    for name in targets:
        models_by_label = contenders(regular, rewritten, load(name), feeds)
        timings = bench(models_by_label, [name], feeds, runs=runs)
        timed = timings.to_json()
        for row in timed["rows"]:
            label = row["model"]
            rows.append(row | _row(models_by_label[label], timings.outputs[label, name].get("output"), expected))
    network = f"{checkpoint.name}, width {net.width}"
    title = f"{network}, {size[0]}x{size[1]} px, {timed['device']}"
    return {"title": title, "network": network} | timed | {"rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    columns = ["target", "model", "nodes", "ms_median", "ms_p10", "ms_p90", "ratio", "ms_create", "ms_first"]
    return pd.DataFrame(result["rows"])[[*columns, "max_abs", "right"]]


def _row(model: ModelProto, image: np.ndarray | None, expected: np.ndarray) -> dict:
    """Return the number of nodes, the largest error of an image of 0..255, and whether that is right."""
    error = math.nan if image is None else measure_image(expected, image).max_abs
    return {
        "nodes": sum(models.count_ops(model).values()),
        "max_abs": error if math.isfinite(error) else None,
        "right": error <= IMAGE_ACROSS_ENGINES.limit(IMAGE_PEAK),
    }
