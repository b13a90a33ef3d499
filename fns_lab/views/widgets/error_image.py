"""A heat map of the error of an image."""

from __future__ import annotations

import numpy as np

from fns_lab.compare.metrics import error_map
from fns_lab.views.error_maps import DECADES
from fns_lab.views.widgets.pixels import Pixels, pixels_of


def error_pixels(reference: np.ndarray, x: np.ndarray) -> Pixels:
    """Return an image of the error of `x`, pixel by pixel, on the log scale of `error_maps`: bright is large.

    Black is no error, or one `DECADES` below the largest.
    """
    from matplotlib import colormaps

    error = error_map(reference, x)
    assert error is not None, "both are images"
    top = error.max()
    level = np.zeros_like(error)
    if top:
        with np.errstate(divide="ignore"):
            level = np.clip(1 + np.log10(error / top) / DECADES, 0, 1)
    return pixels_of(255 * colormaps["inferno"](level)[..., :3].transpose(2, 0, 1))
