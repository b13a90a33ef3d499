"""The result of a case in an engine: its outputs compared with the expected ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from fns_lab.compare import VALUES_ACROSS_ENGINES
from fns_lab.compare.metrics import value_range

TOLERANCE = VALUES_ACROSS_ENGINES
"""Engines differ in the last places of float32; onnx's own runner allows 1e-3 of each value, this 1e-3 of the range."""


class CaseResult(NamedTuple):
    """The result of one run.

    - `result`: `pass`, `wrong`, or `error` where the engine refused, threw or hung
    - `max_abs`: largest absolute error where both values are finite; NaN when nothing could be subtracted
    - `message`: what is wrong, or the engine's message
    """

    result: str
    max_abs: float
    message: str = ""


def check_outputs(expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray]) -> CaseResult:
    """Compare every output with the expected one: floats within `TOLERANCE`, other types exactly.

    NaN must be where NaN is expected, and each infinity where it is expected, with its sign.
    """
    worst, fault = 0.0, ""
    for name, x in expected.items():
        y = actual[name]
        if x.shape != y.shape:
            return CaseResult("wrong", math.nan, f"{name} has shape {y.shape}, expected {x.shape}")
        max_abs, reason = _compare(x, y)
        worst, fault = max(worst, max_abs), fault or (reason and f"{name}: {reason}")
    return CaseResult("wrong" if fault else "pass", worst, fault)


def _compare(x: np.ndarray, y: np.ndarray) -> tuple[float, str]:
    """Return the largest error of the finite values, and why it is a fault; an empty string if it is none."""
    limit = TOLERANCE.limit(value_range(x)) if x.dtype.kind == "f" else 0.0
    x, y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    max_abs = float(np.abs(x[finite] - y[finite]).max(initial=0.0))
    mismatched = ~finite & ~((x == y) | (np.isnan(x) & np.isnan(y)))
    if mismatched.any():
        at = tuple(int(i) for i in np.argwhere(mismatched)[0])
        return max_abs, f"{y[at]} at {at}, expected {x[at]}"
    return max_abs, "" if max_abs <= limit else f"max_abs {max_abs:.3g} is beyond {limit:.3g}"
