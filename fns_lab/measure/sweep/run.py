"""A sample run in a target's engine as it is drawn and lowered."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np
from onnx import ModelProto

from fns_lab.errors import InputError, RuntimeFault
from fns_lab.feeds import is_beyond_int32
from fns_lab.measure.matrix.cache import ResultCache
from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.outcome import check_outputs
from fns_lab.measure.matrix.run import run_cached, run_case
from fns_lab.measure.matrix.variants import Variant, as_written, lowered
from fns_lab.measure.sweep.draw import is_wide
from fns_lab.measure.sweep.families.norms import UNCENTRED
from fns_lab.measure.sweep.rounding import explains, float64_outputs
from fns_lab.measure.sweep.samples import Sample, truth_target
from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.quantization import EXACT_INTEGERS
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.engines import runs_in_a_page
from fns_lab.targets import EVERY_OP, Target

VARIANTS: Mapping[str, Callable[[ModelProto, Target], Variant]] = {"native": as_written, "lowered": lowered}
"""Functions that make the variants of a case for a target, by name."""
LARGEST_INTEGERS = {"float32": EXACT_INTEGERS, "int32": np.iinfo(np.int32).max}
"""The integers from 0 to this one are all of the type."""


class Result(NamedTuple):
    """The result of one variant of a sample.

    - `result`, `max_abs`, `supported`, `message`: as in `Matrix.table`
    - `doubt`: why the expected values may themselves be wrong; empty if nothing contradicts them
    """

    variant: str
    result: str
    max_abs: float
    supported: bool
    message: str
    doubt: str

    @property
    def broken(self) -> bool:
        """Whether the model counts as supported and the engine is wrong or fails, without a doubt."""
        return self.supported and self.result in ("wrong", "error") and not self.doubt


class SweptTarget:
    """A target, and what was measured in its engine. An engine that pip installs runs in a process of its own."""

    def __init__(self, target: Target, *, cached: bool = True) -> None:
        self.target = target if runs_in_a_page(target) else dataclasses.replace(target, own_process=True)
        self._cache = ResultCache(target) if cached else ResultCache(target, None)

    def measure(self, sample: Sample) -> tuple[Result, ...]:
        """Return the result of each of `VARIANTS`. The engine runs only what the target's table supports."""
        return tuple(self._measured(sample, name) for name in VARIANTS)

    def cause(self, sample: Sample) -> str:
        """Return the source of the error of the lowered sample, `lower` or the engine, and the rules applied."""
        try:
            lowering = lower(sample.case.model, self.target)
        except Exception as error:
            return f"lower raises {type(error).__name__}"
        rules = ", ".join(lowering.applied.rule) or "none"
        outcome = run_case(sample.case, lowering.model, truth_target())
        if outcome.result == "pass":
            return f"the engine's: ONNX Runtime runs the lowered model right (rules: {rules})"
        return f"lower's: ONNX Runtime says {outcome.result} of the lowered model too (rules: {rules})"

    def _measured(self, sample: Sample, name: str) -> Result:
        try:
            variant = VARIANTS[name](sample.case.model, self.target)
        except Exception as error:  # a bug in lowering is a fault of this sample; the other samples still run
            return Result(name, "error", math.nan, True, f"lowering broke: {error!r}", "")
        if variant.model is None or not variant.supported:
            return Result(name, "unsupported", math.nan, False, variant.reason, "")
        if reason := _why_undefined(sample, variant.model, self.target, exact=variant.exact):
            return Result(name, "unsupported", math.nan, False, reason, "")
        outcome = run_cached(sample.case, variant.model, self.target, self._cache)
        if outcome.result != "wrong":
            return Result(name, outcome.result, outcome.max_abs, True, outcome.message, "")
        result, doubt = self._second_look(sample.case, variant.model)
        if sample.by_reference and result == "wrong":
            doubt = "only onnx's reference evaluator says so: ONNX Runtime does not run this node, or not right"
        message = "" if result == "pass" else outcome.message
        return Result(name, result, outcome.max_abs, True, message, doubt)

    def _second_look(self, case: Case, model: ModelProto) -> tuple[str, str]:
        """Return whether a wrong result is one, and why it may be right after all.

        It passes if rounding explains how far it is from the result in float64. It is doubtful if onnx's reference
        evaluator agrees with the engine rather than with ONNX Runtime.
        """
        try:
            truth = float64_outputs(case)
            with open_runner(model, self.target) as engine:
                actual = engine.infer(dict(case.feeds))
        except (RuntimeFault, InputError):
            return "wrong", ""
        if explains(case, actual, truth, as_float32=self.target.float64_as_float32):
            return "pass", ""
        reference = _as_types(truth, case.expected)
        contradicts = check_outputs(case.expected, reference, elementwise=case.elementwise).result == "wrong"
        if contradicts and check_outputs(reference, actual, elementwise=case.elementwise).result == "pass":
            return "wrong", "onnx's reference evaluator agrees with the engine, not with ONNX Runtime"
        return "wrong", ""


def _why_undefined(sample: Sample, model: ModelProto, target: Target, *, exact: bool) -> str:
    """Return why the target does not define the result of a sample's values, run as `model`; "" if it does.

    `exact`: whether all rules that wrote the model are exact.
    """
    values = "uncentred" if sample.row.get("level") in UNCENTRED else str(sample.row.get("values", ""))
    if values == "far" and is_wide(np.dtype(str(sample.row.get("type", "float32")))):
        values = "beyond float32"
    left_open = target.undefined_for({sample.op, *(node.op_type for node in model.graph.node)})
    for op, undefined in left_open.items():
        what = f"{target} leaves open what {'an op' if op == EVERY_OP else op} does"
        if values in undefined:
            return f"{what} with {values} values"
        for type_name, limit in LARGEST_INTEGERS.items():
            if f"beyond {type_name}" in undefined and any(_exceeds(x, limit) for x in sample.case.expected.values()):
                return f"{what} where a result is an integer beyond {type_name}"
    if EVERY_OP in left_open and not all(map(_is_finite, sample.case.expected.values())):
        return f"{target} leaves open what an op does where a result is infinite or NaN"
    if target.int64_as_int32 and any(map(is_beyond_int32, sample.case.feeds.values())):
        return f"{target} cannot be fed an integer beyond int32"
    if target.float64_as_float32 and any(map(_has_floats_beyond_float32, sample.case.expected.values())):
        return f"{target} cannot return a float64 beyond float32"
    if values in ("infinite", "nan") and not exact:
        return f"a rule of fidelity rounding holds for finite inputs, not for {values} ones"
    return ""


def _is_finite(x: np.ndarray) -> bool:
    return x.dtype.kind != "f" or bool(np.isfinite(x).all())


def _exceeds(x: np.ndarray, limit: int) -> bool:
    """Return whether an array has integers above `limit`, or below its negative."""
    return x.dtype.kind in "iu" and bool((np.abs(x.astype(np.float64)) > limit).any())


def _has_floats_beyond_float32(x: np.ndarray) -> bool:
    return x.dtype == np.float64 and bool((np.isfinite(x) & (np.abs(x) > np.finfo(np.float32).max)).any())


def _as_types(values: Mapping[str, np.ndarray], like: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with np.errstate(over="ignore", invalid="ignore"):
        return {name: np.asarray(values[name]).astype(array.dtype) for name, array in like.items()}
