"""Run a lowered model beside its original in ONNX Runtime, on drawn inputs, before it is written."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto

from fns_lab import models
from fns_lab.compare import VALUES_FLOAT32, Experiment, ModelRun, value_range
from fns_lab.compare.tolerance import for_type
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.feeds import draw_feeds
from fns_lab.measure import cost
from fns_lab.rewrite.lower import Lowering
from fns_lab.runtimes import open_runner, run_in
from fns_lab.runtimes.float64 import Float64Runner
from fns_lab.sizes import with_input_shapes

ENGINE = "ort/cpu"
"""The engine in which a lowered model is run beside its original."""
MOST_MACS = 5e10
"""Multiply-accumulates of a model that still runs within seconds on two cores."""
FREE_SIZES = ((2, 16), (1, 32), (1, 64), (1, 224), (1, 8), (1, 1))
"""Batch and other free sizes that are tried, in this order: some networks take only multiples, or large images."""
SCALES = (1.0, 100.0)
"""How far apart drawn floats are: a second run shows what is right for small values only."""
TRUTH_FACTOR = 4
"""A result that is farther from the truth than the original's, by this factor, counts as different."""

Arrays = Mapping[str, np.ndarray]
"""Arrays by name."""


@dataclass(frozen=True)
class Verification:
    """Whether a lowered model gives the results of its original: None if that could not be seen, and why not."""

    verified: bool | None
    reason: str

    def __str__(self) -> str:
        prefix = {True: "verified", False: "the result differs from the original", None: "not verified"}[self.verified]
        return f"{prefix}: {self.reason}"


def verify(original: ModelProto, lowering: Lowering, shapes: Mapping[str, Sequence[int]] | None = None) -> Verification:
    """Return whether the lowered model gives the original's outputs on drawn inputs, as both run in ONNX Runtime.

    `shapes` are those of the inputs that were lowered for. Outputs must have the same types and shapes, the same NaN
    and Inf, and floats the same values within `VALUES_FLOAT32`; where they have not, a result that is about as near to
    a float64 run as the original's counts as the same.
    """
    if "approximate" in set(lowering.applied.fidelity):
        return Verification(None, "rules that compute another function were applied")
    fixed = with_input_shapes(original, shapes) if shapes else original
    try:
        inputs = _feeds_that_run(fixed)
        differences = [_difference(fixed, lowering.model, feeds, wanted) for feeds, wanted in inputs]
    except InputError as error:
        return Verification(None, str(error))
    except RuntimeFault as error:
        return Verification(None, f"ONNX Runtime cannot run the original ({error})")
    different = next(filter(None, differences), None)
    return different or Verification(True, f"in ONNX Runtime, on {len(differences)} drawn inputs")


def _feeds_that_run(model: ModelProto) -> list[tuple[dict[str, np.ndarray], Arrays]]:
    """Return drawn feeds with the outputs of the model. Raises the first `RuntimeFault` if no size runs."""
    faults: list[RuntimeFault] = []
    with open_runner(model, ENGINE, timeout_s=60) as runner:
        for sizes in _sizes_to_try(model):
            try:
                found: list[tuple[dict[str, np.ndarray], Arrays]] = []
                for seed, scale in enumerate(_scales(model)):
                    feeds = draw_feeds(model, batch=sizes[0], size=sizes[1], seed=seed, scale=scale)
                    _raise_if_slow(model, feeds)
                    found.append((feeds, runner.infer(feeds)))
                return found
            except RuntimeFault as fault:
                faults.append(fault)
    raise faults[0]


def _sizes_to_try(model: ModelProto) -> Sequence[tuple[int, int]]:
    shapes = models.input_shapes(model).values()
    return FREE_SIZES if any(isinstance(size, str) for shape in shapes for size in shape) else FREE_SIZES[:1]


def _scales(model: ModelProto) -> Sequence[float]:
    """Return the scales for floats; one run is enough without any, and float16 holds no far values."""
    types = {models.dtype_of(value) for value in models.fed_inputs(model).values()}
    return SCALES if any(dtype.kind == "f" and dtype.itemsize > 2 for dtype in types) else SCALES[:1]


def _raise_if_slow(model: ModelProto, feeds: Arrays) -> None:
    fixed = with_input_shapes(model, {name: array.shape for name, array in feeds.items()})
    try:
        macs = int(cost.per_op(fixed)["macs"].sum())
    except InputError:
        return  # sizes that are not known before it runs
    if macs > MOST_MACS:
        raise InputError(f"a run would take {macs:.2g} multiply-accumulates")


def _difference(a: ModelProto, b: ModelProto, feeds: dict[str, np.ndarray], wanted: Arrays) -> Verification | None:
    """Return a `Verification` that says how the outputs of `b` differ from `wanted`, those of `a`; None if not."""
    try:
        found = run_in(ENGINE)(b, feeds)
    except RuntimeFault as fault:
        return Verification(False, f"ONNX Runtime does not run it: {fault}")
    faulty = [(name, text) for name in wanted if (text := _fault(wanted[name], found[name]))]
    if not faulty or _as_near_to_the_truth(a, feeds, wanted, found):
        return None
    if any(
        _fault(array, again) for array, again in zip(wanted.values(), run_in(ENGINE)(a, feeds).values(), strict=True)
    ):
        return Verification(None, "two runs of the original differ")
    return Verification(False, _first_difference(a, b, feeds) or "output {!r}: {}".format(*faulty[0]))


def _fault(wanted: np.ndarray, found: np.ndarray) -> str:
    """Return how an array differs from the one that is wanted; empty if it does not."""
    if (wanted.dtype, wanted.shape) != (found.dtype, found.shape):
        return f"{found.dtype} {found.shape} instead of {wanted.dtype} {wanted.shape}"
    if wanted.dtype.kind in "iu" and wanted.dtype.itemsize == 1:
        return "" if np.abs(wanted.astype(int) - found).max(initial=0) <= 1 else "other numbers"  # quantized: one step
    if wanted.dtype.kind != "f":
        return "" if np.array_equal(wanted, found) else "other elements"
    finite = np.isfinite(wanted)
    if not np.array_equal(wanted[~finite], found[~finite], equal_nan=True):
        return "other NaN or Inf"
    x, y = wanted[finite].astype(np.float64), found[finite].astype(np.float64)
    limit = for_type(VALUES_FLOAT32, wanted.dtype).limit(value_range(x))
    error = float(np.abs(x - y).max(initial=0))
    return "" if error <= limit else f"max_abs {error:.3g}, more than {limit:.3g}"


def _as_near_to_the_truth(model: ModelProto, feeds: Arrays, wanted: Arrays, found: Arrays) -> bool:
    """Return whether `found` is about as near to the results in float64 as `wanted`: then both only round."""
    try:
        truth = Float64Runner(model).infer(dict(feeds))
    except (RuntimeFault, InputError):
        return False
    for name, array in wanted.items():
        if array.dtype.kind != "f" or array.shape != found[name].shape or not np.isfinite(array).all():
            if _fault(array, found[name]):
                return False
            continue
        errors = [float(np.abs(each.astype(np.float64) - truth[name]).max(initial=0)) for each in (array, found[name])]
        if not errors[1] <= TRUTH_FACTOR * errors[0] + VALUES_FLOAT32.limit(value_range(truth[name])):
            return False
    return True


def _first_difference(a: ModelProto, b: ModelProto, feeds: dict[str, np.ndarray]) -> str:
    """Return the first value that differs, with the op and the rule that compute it; empty if none is found."""
    run = run_in(ENGINE)
    try:
        comparison = Experiment(ModelRun(a, feeds, run), ModelRun(b, feeds, run), VALUES_FLOAT32).compare()
    except (RuntimeFault, InputError):
        return ""
    return "" if comparison.first_divergence is None else str(comparison).removeprefix("differs: ")
