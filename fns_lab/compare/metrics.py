"""Measure the error of one array against its reference, or say why it cannot be measured."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from fns_lab.errors import InputError

IMAGE_PEAK = 255.0
"""Peak of `psnr_db` for images, whose values are 0..255 whatever the brightest pixel is."""

BLOCK = 1 << 18
"""Elements measured at a time: 1 MiB of float32, which stays in a core's cache for all metrics."""

MANY_BLOCKS = 8
"""Fewest blocks for which threads save more time than they cost to start."""

DECADES = tuple(10.0**k for k in range(-8, 1))
"""Lower bounds of the bins of the histogram of errors, as fractions of the peak; one more bin lies below the first."""

TAIL = 0.97
"""Errors above this quantile of a sample are kept, so that the 99th percentile is exact without sorting all errors."""
FEW = 4096
"""Errors that are all kept, in place of a tail of them."""
SAMPLE = 1 << 16
"""Size of that sample, in elements."""


@dataclass(frozen=True)
class Metrics:
    """The error of an array against its reference; NaN and empty if it cannot be measured (`UNMEASURED`)."""

    max_abs: float
    """Largest absolute error, in the unit of the arrays."""
    mean_abs: float
    """Mean absolute error, in the unit of the arrays."""
    p99_abs: float
    """99th percentile of the absolute error, in the unit of the arrays."""
    psnr_db: float
    """`10 log10(peak^2 / mean square error)`; inf for equal arrays."""
    peak: float
    """The peak that was given, such as the range of the reference."""
    max_ulps: float = math.nan
    """Largest error in steps of the element type (float16, float32 or float64); NaN if the two types differ or are
    others. 0 for equal bits, and for 0 against -0."""
    decades: tuple[int, ...] = ()
    """Number of errors below 1e-8 of the peak, from 1e-8 to 1e-7, ..., from 1 up: one more than `DECADES`."""

    @property
    def max_rel(self) -> float:
        """`max_abs` as a fraction of the peak; 0 for equal arrays, inf for an error with a peak of zero."""
        if self.max_abs == 0:
            return 0.0
        return self.max_abs / self.peak if self.peak else math.inf


UNMEASURED = Metrics(math.nan, math.nan, math.nan, math.nan, math.nan)
"""Metrics of a pair that was not measured."""


def measure(reference: np.ndarray, x: np.ndarray, *, peak: float) -> Metrics:
    """Return the error of `x` against `reference`, arrays of one shape and any numeric type.

    `peak` is `value_range(reference)` for values inside a network, `IMAGE_PEAK` for images. Returns `UNMEASURED` if
    either array holds NaN or Inf. Raises `InputError` for arrays of different shapes, without elements, or of no
    numeric type.
    """
    problem = mismatch(reference, x)
    if problem:
        raise InputError(f"cannot compare: {problem}")
    tally, starts = _Tally(reference, x, peak), range(0, reference.size, BLOCK)
    if len(starts) < MANY_BLOCKS:
        tally.add(map(tally.block, starts))
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy releases Python's lock in its loops
            tally.add(pool.map(tally.block, starts))
    if not math.isfinite(tally.max) and (not_finite(reference) or not_finite(x)):
        return UNMEASURED
    return tally.metrics()


def measure_image(reference: np.ndarray, x: np.ndarray) -> Metrics:
    """Return the error of an image, `(N, 3, H, W)`, values 0..255; the peak of the PSNR is 255."""
    return measure(reference, x, peak=IMAGE_PEAK)


def value_range(reference: np.ndarray) -> float:
    """Return the distance from the lowest to the highest of the finite values *and zero*; 0 without finite values.

    Zero counts because float32 rounds relative to magnitude: the rounding errors of a nearly flat value (200 +- 1) are
    those of 200, and the range of a constant would be 0.
    """
    reference = np.asarray(reference)
    if reference.size == 0:
        return 0.0
    low, high = float(reference.min()), float(reference.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return value_range(reference[np.isfinite(reference)])
    return max(high, 0.0) - min(low, 0.0)


def mismatch(reference: np.ndarray, x: np.ndarray) -> str:
    """Return why two arrays cannot be compared (shape, no elements, type), or "" if they can."""
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
    """Return the number of NaN and Inf and the index of the first one, as text, or "" if all values are finite."""
    x = np.asarray(x)
    if x.dtype.kind != "f" or x.size == 0 or (np.isfinite(x.max()) and np.isfinite(x.min())):
        return ""
    bad = ~np.isfinite(x)
    first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), x.shape))
    nan = int(np.isnan(x).sum())
    kinds = [f"{count} {kind}" for count, kind in ((nan, "NaN"), (int(bad.sum()) - nan, "Inf")) if count]
    return f"{' and '.join(kinds)}, first at {first}"


def error_map(reference: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Return the largest |error| over all axes but the last two, `(H, W)`; None for arrays without H and W.

    NaN and Inf are kept.
    """
    if mismatch(reference, x) or np.ndim(reference) < 3:
        return None
    largest = np.zeros(reference.shape[-2:])
    for plane, other in zip(reference.reshape(-1, *largest.shape), x.reshape(-1, *largest.shape), strict=True):
        with np.errstate(invalid="ignore", over="ignore"):
            np.maximum(largest, np.abs(np.subtract(plane, other, dtype=largest.dtype)), out=largest)
    return largest


class _Block(NamedTuple):
    max: float
    tail: np.ndarray
    sum: float = 0.0
    squares: float = 0.0
    above: tuple[int, ...] = (0,) * len(DECADES)
    ulps: float = 0.0


class _Tally:
    """Computes `Metrics` block by block, so that an array of a gigabyte needs no second one for its errors."""

    def __init__(self, reference: np.ndarray, x: np.ndarray, peak: float) -> None:
        self.pair = reference.ravel(), x.ravel()
        self.size, self.peak = reference.size, peak
        self.kind = np.result_type(reference, x, np.float32)
        """float32 if both arrays are: the difference of two close float32 numbers is exact, or rounded once."""
        self.has_steps = reference.dtype == x.dtype and reference.dtype in _INTEGERS
        self.max = self.sum = self.squares = 0.0
        self.ulps = 0.0 if self.has_steps else math.nan
        self.above = np.zeros(len(DECADES), np.int64)
        self.bounds = [bound * peak for bound in DECADES]
        sample = self.errors(slice(None, None, -(-self.size // SAMPLE)))
        self.floor = _quantile(sample) if np.isfinite(sample).all() else math.inf
        self.tail: list[np.ndarray] = []

    def errors(self, part: slice) -> np.ndarray:
        x, y = (array[part] for array in self.pair)
        with np.errstate(over="ignore", invalid="ignore"):
            error: np.ndarray = np.subtract(x, y, dtype=self.kind)
        np.abs(error, out=error)
        return error

    def block(self, start: int) -> _Block:
        part = slice(start, min(start + BLOCK, self.size))
        error = self.errors(part)
        worst = float(error.max())
        tail = error[error > self.floor]
        if worst == 0 or not math.isfinite(worst):
            return _Block(worst, tail)
        double = error.astype(np.float64)
        return _Block(
            worst,
            tail,
            sum=float(double.sum()),
            squares=float(np.einsum("i,i->", double, double)),  # not `@`: on a busy machine BLAS waits for threads
            above=tuple(int(np.count_nonzero(error >= bound)) if worst >= bound else 0 for bound in self.bounds),
            ulps=self.steps(part) if self.has_steps else 0.0,
        )

    def add(self, blocks: Iterable[_Block]) -> None:
        """Add blocks in order, so that two measurements give the same bits."""
        for block in blocks:
            self.max = float(np.maximum(self.max, block.max))  # NaN stays
            self.sum += block.sum
            self.squares += block.squares
            self.above += block.above
            self.ulps = max(self.ulps, block.ulps) if self.has_steps else math.nan
            self.tail.append(block.tail)

    def steps(self, part: slice) -> float:
        """Return the most steps between two elements of a pair."""
        x, y = (_steps_from_zero(array[part].view(_INTEGERS[array.dtype])) for array in self.pair)
        return float(np.abs(np.subtract(x, y, out=x), out=x).max())

    def metrics(self) -> Metrics:
        return Metrics(
            max_abs=self.max,
            mean_abs=self.sum / self.size,
            p99_abs=self.percentile(99),
            psnr_db=_psnr_db(self.squares / self.size, self.peak),
            peak=float(self.peak),
            max_ulps=self.ulps,
            decades=tuple(int(n) for n in -np.diff([self.size, *self.above, 0])),
        )

    def percentile(self, q: float) -> float:
        """Return the exact percentile, interpolated as `np.percentile` does, from the tail or else from all errors."""
        rank = q / 100 * (self.size - 1)
        tail = np.concatenate(self.tail)
        if self.floor > 0 and self.size - tail.size > math.floor(rank):
            tail = self.errors(slice(None))
        below = self.size - tail.size  # errors of 0, or under the tail
        ranks = [math.floor(rank) - below, min(math.floor(rank) + 1, self.size - 1) - below]
        if ranks[1] >= 0:
            tail.partition([r for r in ranks if r >= 0])
        low, high = (float(tail[r]) if r >= 0 else 0.0 for r in ranks)
        return low + (rank % 1) * (high - low)


_INTEGERS = {np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}


def _steps_from_zero(bits: np.ndarray) -> np.ndarray:
    """Return signed counts of steps from zero: as integers, the bits of floats count up from it in both directions."""
    sign = bits >> (8 * bits.itemsize - 1)
    steps: np.ndarray = ((bits & np.iinfo(bits.dtype).max) ^ sign) - sign
    return steps.astype(np.float64)


def _quantile(sample: np.ndarray) -> float:
    """Return what is below the largest errors; 0 for few errors, of which all are kept in less time."""
    return 0.0 if sample.size <= FEW else float(np.quantile(sample, TAIL))


def _psnr_db(mse: float, peak: float) -> float:
    if mse == 0:
        return math.inf
    return -math.inf if peak == 0 else 20 * math.log10(peak) - 10 * math.log10(mse)
