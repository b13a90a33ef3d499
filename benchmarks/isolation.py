"""What a process of its own costs an engine: the same models on arrays of 100 MB, in this process and in another.

`ratio` is the time of a run in a process of its own over that in this process, in turns; `within` says whether it is at
most `BOUND`.
"""

from __future__ import annotations

import dataclasses
import statistics
import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.runtimes import Runner, open_runner

TARGETS = ("opencv/cpu", "openvino/cpu", "tract/cpu")
BOUND = 1.2
SHAPE = (1, 8, 1792, 1792)
"""Of the input and the output: 103 MB each."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.target or TARGETS, runs=options.runs)


def run(names: Sequence[str] = TARGETS, shape: tuple[int, ...] = SHAPE, *, runs: int) -> dict:
    """Return a JSON object with `title` and `rows`, one per target and model; `right`: both outputs are the same."""
    x = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    rows = [_row(name, op, model, x, runs) for name in names for op, model in _models(shape).items()]
    return {"title": f"arrays of {x.nbytes / 1e6:.0f} MB, in this process and in one of its own", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def _row(name: str, op: str, model: ModelProto, x: np.ndarray, runs: int) -> dict[str, object]:
    target = targets.load(name)
    times: dict[bool, list[float]] = {False: [], True: []}
    with (
        open_runner(model, dataclasses.replace(target, own_process=False)) as here,
        open_runner(model, dataclasses.replace(target, own_process=True)) as there,
    ):
        same = np.array_equal(_timed(here, x)[1], _timed(there, x)[1])
        for _ in range(runs):
            for own, runner in ((False, here), (True, there)):
                times[own].append(_timed(runner, x)[0])
    here_ms, there_ms = (statistics.median(times[own]) for own in (False, True))
    ratio = there_ms / here_ms
    return {
        "target": name, "model": op, "here_ms": round(here_ms, 1), "own_process_ms": round(there_ms, 1),
        "ratio": round(ratio, 3), "within": ratio <= BOUND, "right": same,
    }  # fmt: skip


def _timed(runner: Runner, x: np.ndarray) -> tuple[float, np.ndarray]:
    """Return the milliseconds of a run, all copies included, and its output."""
    start = time.perf_counter()
    output = runner.infer({"x": x})["y"]
    return (time.perf_counter() - start) * 1000, output


def _models(shape: tuple[int, ...]) -> Mapping[str, ModelProto]:
    weights = np.random.default_rng(1).normal(size=(shape[1], shape[1], 3, 3)).astype(np.float32)
    return {
        "Relu": _model([helper.make_node("Relu", ["x"], ["y"])], shape, {}),
        "Conv 3x3": _model([helper.make_node("Conv", ["x", "w"], ["y"], pads=[1] * 4)], shape, {"w": weights}),
    }


def _model(nodes: list, shape: tuple[int, ...], constants: Mapping[str, np.ndarray]) -> ModelProto:
    values = [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in "xy"]
    initializers = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    graph = helper.make_graph(nodes, "isolation", values[:1], values[1:], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
