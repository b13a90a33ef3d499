"""The result of a case in an engine: its outputs compared with the expected ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fns_lab.compare import VALUES_ACROSS_ENGINES
from fns_lab.compare.metrics import value_range
from fns_lab.compare.tolerance import for_type

TOLERANCE = VALUES_ACROSS_ENGINES
"""Engines differ in the last places of float32; onnx's own runner allows 1e-3 of each value, this 1e-3 of the range."""


class CaseResult(NamedTuple):
    """The result of one run.

    - `result`: `pass`, `wrong`, or `error` where the engine refused, threw or hung
    - `max_abs`: largest absolute error where both values are finite; NaN when nothing could be subtracted
    - `message`: what is wrong, or the engine's message
    - `answered`: False where the engine crashed or hung, which a busy machine may have caused
    """

    result: str
    max_abs: float
    message: str = ""
    answered: bool = True


def check_outputs(
    expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray], *, elementwise: bool = False
) -> CaseResult:
    """Compare every output with the expected one: floats within `TOLERANCE`, other types exactly.

    NaN must be where NaN is expected, and each infinity where it is expected, with its sign. The tolerance is a share
    of an output's range, with `elementwise` of each element's own size.
    """
    worst, fault = 0.0, ""
    for name, x in expected.items():
        y = actual[name]
        if x.shape != y.shape:
            return CaseResult("wrong", math.nan, f"{name} has shape {y.shape}, expected {x.shape}")
        max_abs, reason = _compare(x, y, elementwise)
        worst, fault = max(worst, max_abs), fault or (reason and f"{name}: {reason}")
    return CaseResult("wrong" if fault else "pass", worst, fault)


def _compare(x: np.ndarray, y: np.ndarray, elementwise: bool) -> tuple[float, str]:
    """Return the largest error of the finite values, and why it is a fault; an empty string if it is none."""
    limit = largest_error(x, elementwise=elementwise)
    x, y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    errors = np.abs(np.where(finite, x, 0.0) - np.where(finite, y, 0.0))
    max_abs = float(errors.max(initial=0.0))
    mismatched = ~finite & ~((x == y) | (np.isnan(x) & np.isnan(y)))
    if mismatched.any():
        at = tuple(int(i) for i in np.argwhere(mismatched)[0])
        return max_abs, f"{y[at]} at {at}, expected {x[at]}"
    if not (errors > limit).any():
        return max_abs, ""
    at = tuple(int(i) for i in np.argwhere(errors > limit)[0])
    return max_abs, f"max_abs {max_abs:.3g} is beyond {float(np.broadcast_to(limit, x.shape)[at]):.3g}"


def largest_error(x: np.ndarray, *, elementwise: bool) -> np.ndarray:
    """Return the largest error allowed: one number, or with `elementwise` one per element."""
    if x.dtype.kind != "f":
        return np.zeros(())
    tolerance = for_type(TOLERANCE, x.dtype)
    if not elementwise:
        return np.array(tolerance.limit(value_range(x)))
    sizes = np.abs(np.where(np.isfinite(x), x, 0.0).astype(np.float64))
    return np.asarray(tolerance.floor + tolerance.fraction * sizes)
