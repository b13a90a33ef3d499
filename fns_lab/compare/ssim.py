"""Structural similarity of two images: how much of the reference's structure is still there."""

from __future__ import annotations

import numpy as np

from fns_lab.compare.metrics import IMAGE_PEAK, mismatch, not_finite
from fns_lab.errors import InputError

SIGMA_PX = 1.5
WINDOW_PX = 11
"""The window of Wang et al.: a Gaussian of this standard deviation, cut off at this side."""


def ssim(reference: np.ndarray, x: np.ndarray) -> float:
    """Mean structural similarity of `x` and `reference`, `(1, 3, H, W)`, 0..255: 1 for equal images, 0 for unrelated.

    Wang et al. 2004 (doi 10.1109/TIP.2003.819861) on each colour channel, data range 255, Gaussian window. Values are
    clipped to 0..255 first, as in a file. NaN where either holds NaN or Inf. Raises `InputError` for arrays that are
    not two images of one shape, or that have a side under 11 pixels.
    """
    from skimage.metrics import structural_similarity

    if problem := mismatch(reference, x):
        raise InputError(f"cannot compare: {problem}")
    if np.ndim(x) != 4 or np.shape(x)[:2] != (1, 3) or min(np.shape(x)[2:]) < WINDOW_PX:
        raise InputError(f"SSIM needs (1, 3, H, W) with sides of at least {WINDOW_PX} pixels, not {np.shape(x)}")
    if not_finite(reference) or not_finite(x):
        return float("nan")
    a, b = (np.clip(np.asarray(image[0], dtype=np.float64), 0, IMAGE_PEAK) for image in (reference, x))
    similarity = structural_similarity(
        a,
        b,
        data_range=IMAGE_PEAK,
        channel_axis=0,
        gaussian_weights=True,
        sigma=SIGMA_PX,
        win_size=WINDOW_PX,
        use_sample_covariance=False,
    )
    return float(similarity)
