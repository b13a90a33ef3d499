"""Structural similarity (SSIM) of two images."""

from __future__ import annotations

import numpy as np

from fns_lab.compare.metrics import IMAGE_PEAK, mismatch, not_finite
from fns_lab.errors import InputError

SIGMA_PX = 1.5
"""Standard deviation of the window's weights, in pixels."""
WINDOW_PX = 11
"""The window of Wang et al.: a Gaussian of this standard deviation, this many pixels wide."""


def ssim(reference: np.ndarray, x: np.ndarray) -> float:
    """Return the mean structural similarity of two images, `(1, 3, H, W)`, 0..255: 1 if equal, 0 if unrelated.

    Wang et al. 2004 (doi 10.1109/TIP.2003.819861) on each colour channel, data range 255, Gaussian window. Values are
    clipped to 0..255 first, as in a file. NaN if either holds NaN or Inf. Raises `InputError` for arrays that are not
    two images of one shape, or whose height or width is under 11 pixels.
    """
    from skimage.metrics import structural_similarity

    if problem := mismatch(reference, x):
        raise InputError(f"cannot compare: {problem}")
    if np.ndim(x) != 4 or np.shape(x)[:2] != (1, 3) or min(np.shape(x)[2:]) < WINDOW_PX:
        raise InputError(f"SSIM needs (1, 3, H, W) with H and W of at least {WINDOW_PX} pixels, not {np.shape(x)}")
    if not_finite(reference) or not_finite(x):
        return float("nan")
    a, b = (np.clip(np.asarray(image[0], dtype=np.float64), 0, IMAGE_PEAK) for image in (reference, x))
    similarity: float = structural_similarity(  # type: ignore[no-untyped-call]  # scikit-image has no type hints
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
