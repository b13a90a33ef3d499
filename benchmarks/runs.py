"""One model in one target: lowered, run in the real engine, compared with ONNX Runtime's outputs of the original."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from onnx import ModelProto

from fns_lab.compare import VALUES_ACROSS_ENGINES, value_range
from fns_lab.compare.metrics import mismatch
from fns_lab.errors import InputError, RuntimeFault, one_line
from fns_lab.files import atomic_write
from fns_lab.paths import CACHE
from fns_lab.rewrite.lower import Lowering, lower
from fns_lab.runtimes import engine_name, open_runner
from fns_lab.targets import Target, load

REFERENCE = "ort/cpu"
RIGHT = VALUES_ACROSS_ENGINES.fraction
"""Largest error that counts as right, as a fraction of an output's range."""
FLOOR = VALUES_ACROSS_ENGINES.floor / VALUES_ACROSS_ENGINES.fraction
"""Added to the range, in the output's unit: an output that is nearly zero everywhere may be off by this share of it."""
NUDGE = 1e-6
"""Part by which inputs are changed to see how far the model's own outputs then move."""
NUDGES = 32
"""How often: a value near the middle between two steps of a quantized model crosses it in some draws."""
TIMEOUT_S = 300.0
LONGEST_REASON = 160
KEPT = CACHE / "benchmark-runs.json"
"""What ran once, by the bytes of the lowered model, the engine and the input: it is not run again."""


class Subject(Protocol):
    """A model that is lowered and run, and its input."""

    name: str

    @property
    def model(self) -> ModelProto:
        """The model as it was exported."""
        ...

    @property
    def shapes(self) -> Mapping[str, tuple[int, ...]]:
        """The shape of each input that is fed."""
        ...

    def feeds(self) -> dict[str, np.ndarray]:
        """Return the inputs, the same in every run."""
        ...


def row(subject: Subject, target_name: str) -> dict[str, Any]:
    """Return what became of a model in a target, as JSON.

    - `model`, `target`: their names
    - `before`, `after`: nodes before and after lowering; `after` is None if it was refused before
    - `right`: whether `error` is within `RIGHT`, or within `noise`
    - `error`: largest error of an output over the output's range; None if it did not run
    - `noise`: where `error` is beyond `RIGHT`, by how much ONNX Runtime's own outputs move at most when the inputs
      change by `NUDGE` (a quantized model rounds to steps, and a value near the middle of two takes either); else 0
    - `ms`: milliseconds of the run; None if it did not run
    - `stopped_by`: why it did not run; an empty string if it did
    """
    target = load(target_name)
    result = {"model": subject.name, "target": target_name, "before": len(subject.model.graph.node), "after": None}
    result |= {"right": False, "error": None, "ms": None, "noise": 0.0, "stopped_by": ""}
    try:
        lowered = lower(subject.model, target, shapes=subject.shapes)
    except InputError as error:
        return result | {"stopped_by": one_line(error, LONGEST_REASON)}
    result["after"] = lowered.nodes_after
    if not lowered:
        return result | {"stopped_by": _reasons(lowered)}
    return result | _run_once(lowered.model, subject, target)


def expected(subject: Subject) -> dict[str, np.ndarray]:
    """Return ONNX Runtime's outputs of the model as it was exported."""
    with open_runner(subject.model, REFERENCE) as runner:
        return runner.infer(subject.feeds())


def noise_of(subject: Subject, wanted: dict[str, np.ndarray]) -> float:
    """Return the largest error of ONNX Runtime's outputs where each float of the inputs is changed by about `NUDGE`."""
    rng = np.random.default_rng(0)
    with open_runner(subject.model, REFERENCE) as runner:
        return max(error_of(runner.infer(_nudged(subject.feeds(), rng)), wanted) for _ in range(NUDGES))


def _nudged(feeds: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    return {
        name: (array * (1 + NUDGE * rng.standard_normal(array.shape))).astype(array.dtype)
        if array.dtype.kind == "f"
        else array
        for name, array in feeds.items()
    }


def error_of(actual: dict[str, np.ndarray], wanted: dict[str, np.ndarray]) -> float:
    """Return the largest error as a fraction of the output's range and `FLOOR`; infinite for another shape or NaN."""
    return max(_error(actual[name], value) for name, value in wanted.items())


def _error(actual: np.ndarray, wanted: np.ndarray) -> float:
    if mismatch(wanted, actual):
        return math.inf
    scale = value_range(wanted) + FLOOR
    error = float(np.abs(actual.astype(np.float64) - wanted.astype(np.float64)).max(initial=0)) / scale
    return error if math.isfinite(error) else math.inf


def _reasons(lowered: Lowering) -> str:
    table = lowered.check.table
    rows = table[~table.supported].to_dict("records")
    return "; ".join(f"{row['count']} {row['op']}: {one_line(row['reason'], LONGEST_REASON)}" for row in rows)


def _run_once(model: ModelProto, subject: Subject, target: Target) -> dict[str, Any]:
    shown = json.dumps([engine_name(target), target.name, str(subject.shapes)])
    key = hashlib.sha256(model.SerializeToString(deterministic=True) + shown.encode()).hexdigest()
    if key in (kept := _kept()):
        return kept[key]
    result = _run(model, subject, target)
    kept = _kept() | {key: result}  # read again: another process may have kept its own meanwhile
    with atomic_write(KEPT) as temporary:
        temporary.write_text(json.dumps(kept), encoding="utf-8")
    return result


def _kept() -> dict[str, Any]:
    return json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}


def _run(model: ModelProto, subject: Subject, target: Target) -> dict[str, Any]:
    wanted = expected(subject)
    with contextlib.ExitStack() as stack:
        try:
            runner = stack.enter_context(open_runner(model, target, timeout_s=TIMEOUT_S))
            actual = runner.infer(subject.feeds())
        except (RuntimeFault, InputError) as fault:
            return {"stopped_by": f"the engine: {one_line(getattr(fault, 'message', fault), LONGEST_REASON)}"}
        error, ms = error_of(actual, wanted), round(runner.ms)
    if not math.isfinite(error):
        return {"ms": ms, "stopped_by": "wrong: another shape, or values that are not finite"}
    noise = 0.0 if error <= RIGHT else noise_of(subject, wanted)
    return {"error": error, "ms": ms, "noise": noise, "right": error <= max(RIGHT, noise)}
