"""What lowering itself costs: seconds, and memory beside the model, for a small and a large one.

Each model is made in memory, like VGG: convolutions and linear layers whose weights make up its size. It is lowered in
a process of its own, whose peak is measured from just before `lower` is called.
"""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pandas as pd
from onnx import TensorProto, helper, numpy_helper

from fns_lab.paths import ROOT

SIZES = ((7, 5.0), (100, 30.0))
"""Megabytes of the model, and the seconds that lowering it may take."""
MOST_MEMORY = 4.0
"""Memory that lowering may need beside the model, in multiples of the model's size."""
TARGET = "onnxjs-0.1.8/wasm"
PLANES = (3, 64, 128, 256)


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run()


def run(sizes=SIZES) -> dict:
    """Lower a model of each size `(megabytes, limit in seconds)`.

    Returns a JSON object with `title` and `rows`, one row per model:

    - `mb`: megabytes of the model
    - `seconds`, `limit_s`: time of lowering, and the longest allowed
    - `grown_mb`: peak memory of lowering beside the model
    - `memory_ratio`: `grown_mb` over `mb`; `MOST_MEMORY` is allowed
    - `right`: whether time and memory are within their limits
    """
    rows = [_measured(size_mb) | {"limit_s": limit_s} for size_mb, limit_s in sizes]
    for row in rows:
        row["right"] = row["seconds"] <= row["limit_s"] and row["memory_ratio"] <= MOST_MEMORY
    return {"title": f"lowering for {TARGET}", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def _measured(size_mb: float) -> dict:
    command = [sys.executable, "-m", "benchmarks.lowering_cost", str(size_mb)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def vgg_like(size_mb: float) -> onnx.ModelProto:
    """Return convolutions with Relu and MaxPool, and one linear layer, `size_mb` megabytes in all."""
    rng = np.random.default_rng(0)
    nodes, weights, x = [], {}, "x"
    for i, (c, c_out) in enumerate(itertools.pairwise(PLANES)):
        weights[f"w{i}"] = rng.normal(0, 0.05, (c_out, c, 3, 3)).astype(np.float32)
        nodes.append(helper.make_node("Conv", [x, f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]))
        nodes.append(helper.make_node("HardSwish", [f"c{i}"], [f"r{i}"]))
        nodes.append(
            helper.make_node("MaxPool", [f"r{i}"], [f"p{i}"], kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
        )
        x = f"p{i}"
    features = PLANES[-1] * 8 * 8
    left = size_mb * 1e6 / 4 - sum(w.size for w in weights.values())
    weights["linear"] = rng.normal(0, 0.01, (features, round(left / features))).astype(np.float32)
    nodes += [helper.make_node("Flatten", [x], ["flat"]), helper.make_node("MatMul", ["flat", "linear"], ["y"])]
    info = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in (("x", (1, 3, 64, 64)), ("y", None))]
    tensors = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(nodes, "vgg_like", info[:1], info[1:], tensors)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def main() -> None:
    """Lower one model and print its time and memory; this runs in the process that is measured."""
    import time

    from fns_lab.rewrite.lower import lower
    from fns_lab.targets import load

    model = vgg_like(float(sys.argv[1]))
    lower(vgg_like(2), load(TARGET))  # what is imported on the way is no part of the model's cost
    size_bytes = model.ByteSize()
    before = _peak_bytes(reset=True)
    start = time.perf_counter()
    lowered = lower(model, load(TARGET))
    seconds = time.perf_counter() - start
    grown = _peak_bytes() - before
    assert lowered, str(lowered)
    row = {"mb": round(size_bytes / 1e6, 1), "seconds": round(seconds, 2), "grown_mb": round(grown / 1e6, 1)}
    print(json.dumps(row | {"memory_ratio": round(grown / size_bytes, 2)}))


def _peak_bytes(*, reset: bool = False) -> int:
    """Return the peak memory of this process, on Linux since the last reset."""
    import resource

    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024


if __name__ == "__main__":
    main()
