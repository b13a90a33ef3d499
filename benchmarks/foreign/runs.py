"""One model in one target: lowered, run in the real engine, compared with ONNX Runtime's outputs of the original."""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
from typing import Any

import numpy as np
from onnx import ModelProto

from benchmarks.foreign.models import ForeignModel
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
TIMEOUT_S = 300.0
LONGEST_REASON = 160
KEPT = CACHE / "foreign-runs.json"
"""What ran once, by the bytes of the lowered model, the engine and the input: it is not run again."""


def row(foreign: ForeignModel, target_name: str) -> dict[str, Any]:
    """Return what became of a model in a target; the keys are those of the result's rows."""
    target = load(target_name)
    result = {"model": foreign.name, "target": target_name, "before": len(foreign.model.graph.node), "after": None}
    result |= {"right": False, "error": None, "ms": None, "stopped_by": ""}
    try:
        lowered = lower(foreign.model, target, shapes=foreign.shapes)
    except InputError as error:
        return result | {"stopped_by": one_line(error, LONGEST_REASON)}
    result["after"] = lowered.nodes_after
    if not lowered:
        return result | {"stopped_by": _reasons(lowered)}
    return result | _run_once(lowered.model, foreign, target)


def expected(foreign: ForeignModel) -> dict[str, np.ndarray]:
    """Return ONNX Runtime's outputs of the model as it is in the package."""
    with open_runner(foreign.model, REFERENCE) as runner:
        return runner.infer(foreign.feeds())


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


def _run_once(model: ModelProto, foreign: ForeignModel, target: Target) -> dict[str, Any]:
    shown = json.dumps([engine_name(target), target.name, str(foreign.shapes)])
    key = hashlib.sha256(model.SerializeToString(deterministic=True) + shown.encode()).hexdigest()
    kept = json.loads(KEPT.read_text(encoding="utf-8")) if KEPT.is_file() else {}
    if key not in kept:
        kept[key] = _run(model, foreign, target)
        with atomic_write(KEPT) as temporary:
            temporary.write_text(json.dumps(kept), encoding="utf-8")
    return kept[key]


def _run(model: ModelProto, foreign: ForeignModel, target: Target) -> dict[str, Any]:
    wanted = expected(foreign)
    with contextlib.ExitStack() as stack:
        try:
            runner = stack.enter_context(open_runner(model, target, timeout_s=TIMEOUT_S))
            actual = runner.infer(foreign.feeds())
        except (RuntimeFault, InputError) as fault:
            return {"stopped_by": f"the engine: {one_line(getattr(fault, 'message', fault), LONGEST_REASON)}"}
        error = error_of(actual, wanted)
        finite = error if math.isfinite(error) else None
        return {"error": finite, "ms": round(runner.ms), "right": error <= RIGHT} | (
            {} if finite is not None else {"stopped_by": "wrong: another shape, or values that are not finite"}
        )
