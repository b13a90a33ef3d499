"""How far rounding alone can move the outputs of a case, so that a sum in another order does not count as a fault."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from onnx import ModelProto, numpy_helper

from fns_lab.errors import InputError, RuntimeFault
from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.outcome import largest_error
from fns_lab.runtimes.float64 import Float64Runner

DRAWS = 24
"""Runs with moved inputs. Many, since in half of them the moves of two inputs that an op adds cancel."""
UNITS = 4
"""Units in the last place by which each float input and weight is moved, up or down."""
FACTOR = 4.0
"""Largest error allowed, as a multiple of the largest change of the output in a run with moved inputs."""
ADDING = frozenset({"Mean", "Sum"})
"""Ops that count as elementwise although they add several numbers up."""
QUANTIZING = frozenset({"DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "QuantizeLinear"})
"""Ops whose integer outputs are rounded. Those of other ops (indices, comparisons, counts) must be equal."""
STASHING = frozenset({"GroupNormalization", "LayerNormalization", "RMSNormalization"})
"""Ops that ONNX defines to take the mean of float64 numbers in float32 (`stash_type`)."""
Outputs = Mapping[str, np.ndarray]
"""Arrays by the name of the output."""


def explains(case: Case, actual: Outputs, truth: Outputs, *, as_float32: bool = False) -> bool:
    """Return whether rounding explains every difference between `actual` and `truth`, the outputs in float64.

    `as_float32`: whether the engine computes in float32 what is float64, so that its units count.

    An output may be off by the usual tolerance. An op that adds up may be off further, by `FACTOR` times the most that
    it moves in float64 when inputs and weights move by `UNITS` units in the last place: a sum of 1e30 and -1e30, or the
    normalization of a flat image, moves much, most outputs by less than the tolerance. A quantized value may be one
    step off where it moves by one. An infinite or NaN output must be the same, unless it is NaN for some moved inputs
    alone: of the logarithm of a sum that cancels nothing can be told.

    Not so for an op that computes each element from one element of each input: float32 holds these inputs exactly, and
    one operation rounds once. sin(1e9) is far from sin of the next float32 number, but there is one right result.
    """
    if case.elementwise and case.op not in ADDING:
        return all(_close(actual[name], truth[name], [], elementwise=True) for name in truth)
    as_float32 = as_float32 or case.op in STASHING
    try:
        moved = [_outputs(case, seed, as_float32) for seed in range(1, DRAWS + 1)]
    except (RuntimeFault, InputError):
        return False
    return all(
        _close(
            actual[name],
            truth[name],
            [other[name] for other in moved],
            elementwise=case.elementwise,
            quantized=case.op in QUANTIZING,
        )
        for name in truth
    )


def float64_outputs(case: Case) -> Outputs:
    """Return the outputs in float64. Raises `RuntimeFault` where onnx's reference evaluator fails."""
    return _outputs(case, 0)


def _close(
    actual: np.ndarray, truth: np.ndarray, moved: list[np.ndarray], *, elementwise: bool, quantized: bool = False
) -> bool:
    if any(other.shape != actual.shape for other in (truth, *moved)):
        return False
    with np.errstate(over="ignore", invalid="ignore"):
        expected = truth.astype(actual.dtype)
        limit = largest_error(expected, elementwise=elementwise)
        spread = np.max([_distance(other, truth) for other in (*moved, truth)], axis=0)
        slack = FACTOR * spread if actual.dtype.kind == "f" else np.minimum(spread, quantized)
        x, y = _wide(expected), _wide(actual)
        same = (x == y) | (np.isnan(x) & np.isnan(y))
        return bool(np.all(same | (np.abs(x - y) <= limit + slack) | np.isposinf(slack)))


def _distance(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return how far each element of `x` is from that of `y`; infinitely where one of the two alone is NaN."""
    return np.where(np.isnan(_wide(x)) == np.isnan(_wide(y)), np.abs(_wide(x) - _wide(y)), np.inf)


def _wide(x: np.ndarray) -> np.ndarray:
    return x.astype(np.float64)


def _outputs(case: Case, seed: int, as_float32: bool = False) -> Outputs:
    """Return the outputs in float64; inputs and weights are moved at random, unless `seed` is 0."""
    draw = np.random.default_rng(seed)
    model = _moved_weights(case.model, draw, as_float32) if seed else case.model
    feeds = {name: _moved(x, draw, as_float32) if seed else x for name, x in case.feeds.items()}
    with np.errstate(all="ignore"), Float64Runner(model) as runner:
        return runner.infer(feeds)


def _moved_weights(model: ModelProto, draw: np.random.Generator, as_float32: bool) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        tensor.CopyFrom(numpy_helper.from_array(_moved(numpy_helper.to_array(tensor), draw, as_float32), tensor.name))
    return copy


def _moved(x: np.ndarray, draw: np.random.Generator, as_float32: bool) -> np.ndarray:
    """Return the array with each float `UNITS` units in the last place up or down; other types unmodified."""
    if x.dtype.kind != "f":
        return x
    with np.errstate(over="ignore", invalid="ignore"):
        units = np.spacing(np.abs(x.astype(np.float32) if as_float32 and x.dtype == np.float64 else x))
        return np.asarray(x + draw.choice((-UNITS, UNITS), x.shape) * units, x.dtype)
