from __future__ import annotations

import math

import numpy as np
import pytest

from fns_lab.compare import ssim
from fns_lab.errors import InputError

SHAPE = (1, 3, 23, 31)
C1 = (0.01 * 255) ** 2
"""The constant of Wang et al. that keeps the brightness term finite."""


@pytest.fixture
def image():
    """Smooth noise, 0..255."""
    x = np.random.default_rng(3).uniform(0, 255, SHAPE)
    return ((x + np.roll(x, 1, 2) + np.roll(x, 1, 3)) / 3).astype(np.float32)


def test_equal_images_are_1_and_more_noise_is_less(image):
    noise = np.random.default_rng(4).normal(0, 1, SHAPE)
    scores = [ssim(image, image + sd * noise) for sd in (0, 4, 16, 64)]
    assert scores[0] == 1
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] < 0.8


def test_unrelated_images_are_near_0(image):
    assert abs(ssim(image, image[..., ::-1, ::-1])) < 0.15


def test_of_flat_images_the_brightness_is_left():
    dark, bright = np.full(SHAPE, 50.0), np.full(SHAPE, 200.0)
    assert ssim(dark, bright) == pytest.approx((2 * 50 * 200 + C1) / (50**2 + 200**2 + C1))


def test_values_outside_a_file_do_not_count(image):
    assert ssim(np.clip(image, 0, 200) * 1.4, np.clip(np.clip(image, 0, 200) * 1.4, 0, 255)) == 1


@pytest.mark.parametrize("side", [0, 1])
def test_nan_leaves_no_number(image, side):
    pair = [image, image.copy()]
    pair[side][0, 1, 2, 3] = np.nan
    assert math.isnan(ssim(*pair))


@pytest.mark.parametrize(
    ("shape", "other", "message"),
    [
        (SHAPE, (1, 3, 31, 23), r"shape \(1, 3, 23, 31\) against \(1, 3, 31, 23\)"),
        ((1, 1, 23, 31), (1, 1, 23, 31), r"needs \(1, 3, H, W\)"),
        ((3, 23, 31), (3, 23, 31), r"needs \(1, 3, H, W\)"),
        ((1, 3, 10, 31), (1, 3, 10, 31), "at least 11 pixels"),
    ],
)
def test_what_is_no_pair_of_images_is_refused(shape, other, message):
    with pytest.raises(InputError, match=message):
        ssim(np.zeros(shape), np.zeros(other))
