"""Error of one array against its reference: four numbers, and the reason when there can be none."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from fns_lab.errors import InputError

PICTURE_PEAK = 255.0
"""Peak of `psnr_db` for pictures, whose values are 0..255 whatever the brightest pixel is."""

BLOCK = 1 << 20
"""Elements squared at a time in float64 (8 MiB), so that a large value needs no second copy in double precision."""


@dataclass(frozen=True)
class Metrics:
    """Error in the unit of the arrays; `psnr_db` is `10 log10(peak^2 / mean square error)`, inf for equal arrays.

    All four are NaN when there is no error to speak of: a NaN or Inf in either array, or no pair of arrays.
    """

    max_abs: float
    mean_abs: float
    p99_abs: float
    psnr_db: float
    peak: float


UNMEASURED = Metrics(math.nan, math.nan, math.nan, math.nan, math.nan)


def measure(reference: np.ndarray, x: np.ndarray, *, peak: float) -> Metrics:
    """Error of `x` against `reference`, arrays of one shape and any numeric type.

    `peak` is `value_range(reference)` for values inside a network, `PICTURE_PEAK` for pictures. Raises `InputError`
    for arrays that do not pair up: another shape, no elements, no numbers.
    """
    problem = mismatch(reference, x)
    if problem:
        raise InputError(f"cannot compare: {problem}")
    if not_finite(reference) or not_finite(x):
        return UNMEASURED
    error = _abs_difference(reference, x).ravel()
    mse = _mean_square(error)
    return Metrics(
        max_abs=float(error.max()),
        mean_abs=float(error.mean(dtype=np.float64)),
        psnr_db=_psnr_db(mse, peak),
        p99_abs=float(np.percentile(error, 99, overwrite_input=True)),
        peak=float(peak),
    )


def measure_picture(reference: np.ndarray, x: np.ndarray) -> Metrics:
    """`measure` for pictures, `(N, 3, H, W)`, values 0..255: the peak of the PSNR is 255."""
    return measure(reference, x, peak=PICTURE_PEAK)


def value_range(reference: np.ndarray) -> float:
    """Distance from the lowest to the highest of the finite values *and zero*; 0 when there are none.

    Zero is counted in because float32 rounds relative to magnitude: a nearly flat value (200 +- 1) carries errors of
    a value of 200, and a constant one would have no range at all.
    """
    reference = np.asarray(reference)
    finite = reference[np.isfinite(reference)] if not_finite(reference) else reference
    if finite.size == 0:
        return 0.0
    return max(float(finite.max()), 0.0) - min(float(finite.min()), 0.0)


def mismatch(reference: np.ndarray, x: np.ndarray) -> str:
    """Why two arrays do not pair up at all: their shapes, no elements, no numbers. Empty when they do."""
    reference, x = np.asarray(reference), np.asarray(x)
    if reference.shape != x.shape:
        return f"shape {reference.shape} against {x.shape}"
    if reference.size == 0:
        return f"no elements in shape {x.shape}"
    for array in (reference, x):
        if array.dtype.kind not in "fiub":
            return f"type {array.dtype} holds no real numbers"
    return ""


def not_finite(x: np.ndarray) -> str:
    """How many NaN and Inf there are and where the first one is, in one line. Empty when all values are finite."""
    x = np.asarray(x)
    if x.dtype.kind != "f":
        return ""
    bad = ~np.isfinite(x)
    if not bad.any():
        return ""
    first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), x.shape))
    nan = int(np.isnan(x).sum())
    kinds = [f"{count} {kind}" for count, kind in ((nan, "NaN"), (int(bad.sum()) - nan, "Inf")) if count]
    return f"{' and '.join(kinds)}, first at {first}"


def _abs_difference(reference: np.ndarray, x: np.ndarray) -> np.ndarray:
    """In float32 where both are: the difference of two near float32 numbers is exact, or one rounding off."""
    both = np.result_type(reference, x, np.float32)
    with np.errstate(over="ignore"):
        error = np.subtract(reference, x, dtype=both)
    return np.abs(error, out=np.asarray(error))


def _mean_square(error: np.ndarray) -> float:
    blocks = (error[i : i + BLOCK].astype(np.float64) for i in range(0, error.size, BLOCK))
    return sum(float(block @ block) for block in blocks) / error.size


def _psnr_db(mse: float, peak: float) -> float:
    if mse == 0:
        return math.inf
    return -math.inf if peak == 0 else 20 * math.log10(peak) - 10 * math.log10(mse)
