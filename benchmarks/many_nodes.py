"""What many nodes cost: a chain of them compared with one of which every second value has another name, and lowered.

`seconds` is processor time, in comparisons without the runs of the engine. `per_node_ms` tells whether it grows in
proportion to the nodes.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from onnx import ModelProto, TensorProto, helper

from fns_lab import targets
from fns_lab.compare import Experiment, ModelRun, tolerance_between
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import run_in

COMPARED = (5_000, 20_000)
LOWERED = (500, 2_000)
MOST_SECONDS = 10.0
"""Largest time of a comparison of 20,000 nodes beyond the runs."""
LOWERED_FOR = "onnxjs-0.1.8/wasm"
NEEDS_RULES = ("Softplus", "Mish", "HardSwish")
"""Ops that `LOWERED_FOR` does not have."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run()


def run(compared: Sequence[int] = COMPARED, lowered: Sequence[int] = LOWERED) -> dict:
    """Return a JSON object with `title` and `rows`; `right`: equal, or supported, and within `MOST_SECONDS`."""
    rows = [_row("compare", nodes, *_compared(nodes)) for nodes in compared]
    rows += [_row("lower", nodes, *_lowered(nodes)) for nodes in lowered]
    return {"title": f"chains of nodes, compared in ort/cpu and lowered for {LOWERED_FOR}", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def _row(what: str, nodes: int, seconds: float, right: bool) -> dict[str, object]:
    per_node_ms = round(1000 * seconds / nodes, 3)
    return {"what": what, "nodes": nodes, "seconds": round(seconds, 2), "per_node_ms": per_node_ms, "right": right}


def _compared(nodes: int) -> tuple[float, bool]:
    engine, in_engine = run_in(targets.load("ort/cpu")), 0.0

    def timed(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        nonlocal in_engine
        started = time.process_time()
        outputs = engine(model, feeds)
        in_engine += time.process_time() - started
        return outputs

    feeds = {"v0": np.random.default_rng(0).normal(size=(1, 4)).astype(np.float32)}
    a, b = (ModelRun(_chain(nodes, ("Neg", "Sin"), other), feeds, timed, engine="ort/cpu") for other in ("v", "w"))
    started = time.process_time()
    comparison = Experiment(a, b, tolerance_between("ort/cpu", "ort/cpu")).compare()
    seconds = time.process_time() - started - in_engine
    return seconds, bool(comparison) and seconds <= MOST_SECONDS


def _lowered(nodes: int) -> tuple[float, bool]:
    model, started = _chain(nodes, NEEDS_RULES, "v"), time.process_time()
    lowering = lower(model, targets.load(LOWERED_FOR))
    return time.process_time() - started, lowering.supported


def _chain(nodes: int, ops: Sequence[str], other: str) -> ModelProto:
    """Return a chain of ops; every second value is called `other` and its number, the rest `v` and theirs."""
    names = [f"{other if 0 < i < nodes and i % 2 else 'v'}{i}" for i in range(nodes + 1)]
    made = [helper.make_node(ops[i % len(ops)], [names[i]], [names[i + 1]]) for i in range(nodes)]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 4]) for name in (names[0], names[-1]))
    graph = helper.make_graph(made, "chain", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
