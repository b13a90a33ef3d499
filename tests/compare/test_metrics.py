from __future__ import annotations

import math

import numpy as np
import pytest

from fns_lab.compare import (
    EXACT,
    IMAGE_SAME_ENGINE,
    VALUES_ACROSS_ENGINES,
    VALUES_FLOAT32,
    Tolerance,
    measure,
    measure_image,
    tolerance_between,
    tolerance_of,
    value_range,
)
from fns_lab.compare.metrics import BLOCK, DECADES, not_finite
from fns_lab.errors import InputError

SHAPE = (2, 3, 5, 8)


@pytest.fixture
def x():
    return np.random.default_rng(3).normal(20, 50, SHAPE).astype(np.float32)


def test_measure_agrees_with_double_precision(x):
    y = x + np.random.default_rng(4).normal(0, 0.1, SHAPE).astype(np.float32)
    error = np.abs(x.astype(np.float64) - y.astype(np.float64))
    metrics = measure(x, y, peak=value_range(x))
    assert metrics.max_abs == pytest.approx(error.max(), rel=1e-5)
    assert metrics.mean_abs == pytest.approx(error.mean(), rel=1e-5)
    assert metrics.p99_abs == pytest.approx(np.percentile(error, 99), rel=1e-5)
    assert metrics.psnr_db == pytest.approx(10 * math.log10(value_range(x) ** 2 / (error**2).mean()), rel=1e-6)


def test_measure_does_not_touch_its_arrays(x):
    before = x.copy()
    measure(x, x + 1, peak=1.0)
    assert np.array_equal(x, before)


def test_a_large_value_is_summed_in_blocks():
    y = np.random.default_rng(5).uniform(0, 1, BLOCK + 7).astype(np.float32)
    mse = float((y.astype(np.float64) ** 2).mean())
    assert measure(np.zeros_like(y), y, peak=1.0).psnr_db == pytest.approx(-10 * math.log10(mse), rel=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.005, 0.02, 0.5, 1.0])
@pytest.mark.parametrize("size", [1, 7, 1000, 3 * BLOCK + 5])
def test_the_99th_percentile_is_exact_however_many_values_differ(share, size):
    rng = np.random.default_rng(7)
    x = rng.normal(0, 1, size).astype(np.float32)
    y = np.where(rng.uniform(size=size) < share, x + rng.exponential(1e-3, size).astype(np.float32), x)
    assert measure(x, y, peak=1.0).p99_abs == pytest.approx(np.percentile(np.abs(x - y), 99), rel=1e-6)


def test_a_sample_that_deceives_does_not_change_the_percentile():
    x = np.zeros(4 * BLOCK, np.float32)
    y = np.ones_like(x)
    y[::16] = 1e-3
    assert measure(x, y, peak=1.0).p99_abs == 1.0
    assert measure(x, np.where(y == 1, np.float32(1e-3), np.float32(2)), peak=1.0).p99_abs == 2.0


def test_errors_are_counted_by_decade_of_the_peak():
    x = np.zeros(6, np.float32)
    y = np.array([0, 5e-10, 5e-8, 5e-3, 0.5, 20], np.float32) * 10
    counts = dict(zip((0.0, *DECADES), measure(x, y, peak=10.0).decades, strict=True))
    assert {bound: count for bound, count in counts.items() if count} == {0.0: 2, 1e-8: 1, 1e-3: 1, 1e-1: 1, 1.0: 1}


@pytest.mark.parametrize("kind", [np.float16, np.float32, np.float64])
def test_steps_of_the_element_type(kind):
    x = np.array([1.0, -1.0, 0.0, -0.0, 100.0], kind)
    one = np.nextafter(x, kind(1000))
    assert measure(x, one, peak=100.0).max_ulps == 1
    assert measure(x[2:4], -x[2:4], peak=1.0).max_ulps == 0
    across = measure(np.nextafter(kind(0), kind(-1)), np.nextafter(kind(0), kind(1)), peak=1.0)
    assert across.max_ulps == 2
    assert math.isnan(measure(x, one.astype(np.longdouble), peak=1.0).max_ulps)


def test_equal_arrays_have_infinite_psnr(x):
    metrics = measure(x, x.copy(), peak=value_range(x))
    assert (metrics.max_abs, metrics.mean_abs, metrics.p99_abs, metrics.psnr_db) == (0, 0, 0, math.inf)


def test_a_image_has_peak_255():
    image = np.random.default_rng(6).uniform(100, 110, SHAPE).astype(np.float32)
    assert measure_image(image, image + 1).psnr_db == pytest.approx(48.1308, abs=1e-3)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("side", [0, 1])
def test_nan_and_inf_leave_no_number(x, bad, side):
    pair = [x, x.copy()]
    pair[side] = pair[side].copy()
    pair[side][1, 2, 3, 4] = bad
    metrics = measure(*pair, peak=255)
    assert all(math.isnan(v) for v in (metrics.max_abs, metrics.mean_abs, metrics.p99_abs, metrics.psnr_db))


def test_not_finite_counts_and_names_the_first(x):
    x[0, 2, 1, 7] = np.inf
    x[1, 0, 0, 0] = np.nan
    x[1, 0, 0, 1] = np.nan
    assert not_finite(x) == "2 NaN and 1 Inf, first at (0, 2, 1, 7)"
    assert not_finite(np.arange(3)) == ""


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros((2, 3, 8, 5), np.float32), r"shape \(2, 3, 5, 8\) against \(2, 3, 8, 5\)"),
        (np.full(SHAPE, "x"), "holds no real numbers"),
    ],
)
def test_arrays_that_do_not_pair_up(x, y, message):
    with pytest.raises(InputError, match=message):
        measure(x, y, peak=1.0)


def test_nothing_to_measure():
    with pytest.raises(InputError, match="no elements"):
        measure(np.zeros((0, 3)), np.zeros((0, 3)), peak=1.0)


@pytest.mark.parametrize(
    ("values", "expected"), [([-2, 3], 5), ([199, 201], 201), ([-7, -4], 7), ([0, 0], 0), ([np.nan, 2], 2), ([], 0)]
)
def test_value_range_counts_zero_in(values, expected):
    assert value_range(np.array(values, dtype=np.float32)) == expected


def test_tolerance_scales_with_the_value():
    assert VALUES_FLOAT32.limit(1e6) == pytest.approx(100, rel=1e-6)
    assert VALUES_FLOAT32.limit(1e-2) == pytest.approx(2e-6)
    assert IMAGE_SAME_ENGINE.limit(1e6) == IMAGE_SAME_ENGINE.limit(0) == 0.05
    assert EXACT.limit(1e6) == 0


def test_engines_name_their_tolerance():
    assert tolerance_between("ort/cpu", "ort/cpu") == VALUES_FLOAT32
    assert (
        tolerance_between("ort/cpu", "ort-web/webgl") == tolerance_between("torch", "ort/cpu") == VALUES_ACROSS_ENGINES
    )
    assert tolerance_of(0.5).limit(10) == pytest.approx(5.005)


@pytest.mark.parametrize("wrong", [{"fraction": -1.0, "floor": 0.0}, {"fraction": 0.0, "floor": math.nan}])
def test_a_tolerance_that_passes_nothing_or_anything_is_refused(wrong):
    with pytest.raises(ValueError, match="from 0 up"):
        Tolerance(name="X", reason="", **wrong)
