"""Error of one array against its reference: some numbers, and the reason when there can be none."""

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
"""Elements looked at in one go: 1 MiB of float32, which stays in a core's cache through all that is asked of it."""

MANY_BLOCKS = 8
"""From so many on, starting threads costs less than they save."""

DECADES = tuple(10.0**k for k in range(-8, 1))
"""Lower bounds of the histogram of errors, as fractions of the peak; below the first one lies its first bin."""

TAIL = 0.97
"""Quantile of a sample above which whole errors are kept, so that the 99th percentile is exact without a sort."""
SAMPLE = 1 << 16


@dataclass(frozen=True)
class Metrics:
    """Error in the unit of the arrays; `psnr_db` is `10 log10(peak^2 / mean square error)`, inf for equal arrays.

    `decades` counts the errors below 1e-8 of the peak, from 1e-8 to 1e-7, ..., from 1 up: one more than `DECADES`.
    `max_ulps` is the largest distance in steps of the element type (float16, float32 or float64, the same on both
    sides; else NaN), 0 for equal bits and for 0 against -0. All are NaN or empty when there is no error to speak of: a
    NaN or Inf in either array, or no pair of arrays.
    """

    max_abs: float
    mean_abs: float
    p99_abs: float
    psnr_db: float
    peak: float
    max_ulps: float = math.nan
    decades: tuple[int, ...] = ()

    @property
    def max_rel(self) -> float:
        """`max_abs` as a fraction of the peak; 0 for equal arrays, inf for an error over a peak of zero."""
        if self.max_abs == 0:
            return 0.0
        return self.max_abs / self.peak if self.peak else math.inf


UNMEASURED = Metrics(math.nan, math.nan, math.nan, math.nan, math.nan)


def measure(reference: np.ndarray, x: np.ndarray, *, peak: float) -> Metrics:
    """Error of `x` against `reference`, arrays of one shape and any numeric type.

    `peak` is `value_range(reference)` for values inside a network, `IMAGE_PEAK` for images. Raises `InputError`
    for arrays that do not pair up: another shape, no elements, no numbers.
    """
    problem = mismatch(reference, x)
    if problem:
        raise InputError(f"cannot compare: {problem}")
    tally, starts = _Tally(reference, x, peak), range(0, reference.size, BLOCK)
    if len(starts) < MANY_BLOCKS:
        tally.add(map(tally.block, starts))
    else:
        with ThreadPoolExecutor(os.cpu_count()) as pool:  # NumPy lets go of the lock in its loops
            tally.add(pool.map(tally.block, starts))
    if not math.isfinite(tally.max) and (not_finite(reference) or not_finite(x)):
        return UNMEASURED
    return tally.metrics()


def measure_image(reference: np.ndarray, x: np.ndarray) -> Metrics:
    """`measure` for images, `(N, 3, H, W)`, values 0..255: the peak of the PSNR is 255."""
    return measure(reference, x, peak=IMAGE_PEAK)


def value_range(reference: np.ndarray) -> float:
    """Distance from the lowest to the highest of the finite values *and zero*; 0 when there are none.

    Zero is counted in because float32 rounds relative to magnitude: a nearly flat value (200 +- 1) carries errors of
    a value of 200, and a constant one would have no range at all.
    """
    reference = np.asarray(reference)
    if reference.size == 0:
        return 0.0
    low, high = float(reference.min()), float(reference.max())
    if not (math.isfinite(low) and math.isfinite(high)):
        return value_range(reference[np.isfinite(reference)])
    return max(high, 0.0) - min(low, 0.0)


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
    if x.dtype.kind != "f" or x.size == 0 or (np.isfinite(x.max()) and np.isfinite(x.min())):
        return ""
    bad = ~np.isfinite(x)
    first = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), x.shape))
    nan = int(np.isnan(x).sum())
    kinds = [f"{count} {kind}" for count, kind in ((nan, "NaN"), (int(bad.sum()) - nan, "Inf")) if count]
    return f"{' and '.join(kinds)}, first at {first}"


def error_map(reference: np.ndarray, x: np.ndarray) -> np.ndarray | None:
    """Where the error sits: `(H, W)`, the largest |error| over all other axes; None for arrays that have no H and W.

    NaN and Inf stay what they are.
    """
    if mismatch(reference, x) or np.ndim(reference) < 3:
        return None
    found = np.zeros(reference.shape[-2:])
    for plane, other in zip(reference.reshape(-1, *found.shape), x.reshape(-1, *found.shape), strict=True):
        with np.errstate(invalid="ignore", over="ignore"):
            np.maximum(found, np.abs(np.subtract(plane, other, dtype=found.dtype)), out=found)
    return found


class _Block(NamedTuple):
    max: float
    tail: np.ndarray
    sum: float = 0.0
    squares: float = 0.0
    above: tuple[int, ...] = (0,) * len(DECADES)
    ulps: float = 0.0


class _Tally:
    """The sums of `Metrics`, block by block, so that a value of a gigabyte needs no second one beside it."""

    def __init__(self, reference: np.ndarray, x: np.ndarray, peak: float) -> None:
        self.pair = reference.ravel(), x.ravel()
        self.size, self.peak = reference.size, peak
        self.kind = np.result_type(reference, x, np.float32)
        """In float32 where both are: the difference of two near float32 numbers is exact, or one rounding off."""
        self.ordered = _INTEGERS.get(reference.dtype) if reference.dtype == x.dtype else None
        self.max = self.sum = self.squares = 0.0
        self.ulps = 0.0 if self.ordered else math.nan
        self.above = np.zeros(len(DECADES), np.int64)
        self.bounds = [bound * peak for bound in DECADES]
        sample = self.errors(slice(None, None, -(-self.size // SAMPLE)))
        self.floor = float(np.quantile(sample, TAIL)) if np.isfinite(sample).all() else math.inf
        self.tail: list[np.ndarray] = []

    def errors(self, part: slice) -> np.ndarray:
        x, y = (side[part] for side in self.pair)
        with np.errstate(over="ignore", invalid="ignore"):
            error = np.subtract(x, y, dtype=self.kind)
        return np.abs(error, out=error)

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
            ulps=self.steps(part) if self.ordered else 0.0,
        )

    def add(self, blocks: Iterable[_Block]) -> None:
        """In their order, so that two measurements give the same bits."""
        for block in blocks:
            self.max = float(np.maximum(self.max, block.max))  # NaN stays
            self.sum += block.sum
            self.squares += block.squares
            self.above += block.above
            self.ulps = max(self.ulps, block.ulps) if self.ordered else math.nan
            self.tail.append(block.tail)

    def steps(self, part: slice) -> float:
        """Most steps between two neighbours: the bits of floats count upwards from zero, in both directions."""
        places = []
        for side in self.pair:
            bits = side[part].view(self.ordered)
            sign = bits >> (8 * bits.itemsize - 1)
            places.append((((bits & np.iinfo(self.ordered).max) ^ sign) - sign).astype(np.float64))
        return float(np.abs(np.subtract(*places, out=places[0]), out=places[0]).max())

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
        """Exact, interpolated as `np.percentile` does: its ranks lie in the tail, or every error is looked at."""
        rank = q / 100 * (self.size - 1)
        tail = np.concatenate(self.tail)
        if self.floor > 0 and self.size - tail.size > math.floor(rank):
            tail = self.errors(slice(None))
        below = self.size - tail.size  # errors of 0, or of no interest
        ranks = [math.floor(rank) - below, min(math.floor(rank) + 1, self.size - 1) - below]
        if ranks[1] >= 0:
            tail.partition([r for r in ranks if r >= 0])
        low, high = (float(tail[r]) if r >= 0 else 0.0 for r in ranks)
        return low + (rank % 1) * (high - low)


_INTEGERS = {np.dtype(f"f{n}"): np.dtype(f"i{n}") for n in (2, 4, 8)}


def _psnr_db(mse: float, peak: float) -> float:
    if mse == 0:
        return math.inf
    return -math.inf if peak == 0 else 20 * math.log10(peak) - 10 * math.log10(mse)
