"""What an engine made of a case: right, wrong by how much, or nothing at all."""

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
    """`result` is `pass`, `wrong` or `error` (the engine refused, threw or hung, `message` has its words).

    `max_abs` is the largest error where both sides are finite; NaN when nothing could be subtracted.
    """

    result: str
    max_abs: float
    message: str = ""


def judge(expected: Mapping[str, np.ndarray], actual: Mapping[str, np.ndarray]) -> CaseResult:
    """Hold every output against what is expected of it. Float within `TOLERANCE`, the rest exactly.

    NaN must stand where NaN is expected and the infinities where they are, with their sign.
    """
    worst, fault = 0.0, ""
    for name, x in expected.items():
        y = actual[name]
        if x.shape != y.shape:
            return CaseResult("wrong", math.nan, f"{name} has shape {y.shape}, expected {x.shape}")
        max_abs, found = _judge_one(x, y)
        worst, fault = max(worst, max_abs), fault or (found and f"{name}: {found}")
    return CaseResult("wrong" if fault else "pass", worst, fault)


def _judge_one(x: np.ndarray, y: np.ndarray) -> tuple[float, str]:
    """The largest error of finite numbers and, where it is a fault, why."""
    limit = TOLERANCE.limit(value_range(x)) if x.dtype.kind == "f" else 0.0
    x, y = x.astype(np.float64), y.astype(np.float64)
    finite = np.isfinite(x) & np.isfinite(y)
    max_abs = float(np.abs(x[finite] - y[finite]).max(initial=0.0))
    strange = ~finite & ~((x == y) | (np.isnan(x) & np.isnan(y)))
    if strange.any():
        at = tuple(int(i) for i in np.argwhere(strange)[0])
        return max_abs, f"{y[at]} at {at}, expected {x[at]}"
    return max_abs, "" if max_abs <= limit else f"max_abs {max_abs:.3g} is beyond {limit:.3g}"
