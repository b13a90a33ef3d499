"""Images as a preview sends them to the browser: bytes that need no decoding. A report gets PNG files."""

from __future__ import annotations

from typing import Any

import numpy as np

from fns_lab import images

Pixels = dict[str, Any]
"""`width` and `height`, and `data`: red, green and blue of each pixel, one byte each, row by row. Empty: no image."""


def pixels_of(x: np.ndarray) -> Pixels:
    """Return `(1, 3, H, W)`, values 0..255, clipped and rounded. Raises `InputError` as `image_from_array` does."""
    image = images.image_from_array(x)
    return {"width": image.width, "height": image.height, "data": image.tobytes()}


def array_of(pixels: Pixels) -> np.ndarray:
    """Return the pixels as an array `(3, H, W)`, values 0..255."""
    shape: tuple[int, int, int] = (pixels["height"], pixels["width"], 3)
    return np.frombuffer(pixels["data"], np.uint8).reshape(shape).transpose(2, 0, 1)


def png_of(pixels: Pixels) -> bytes:
    """Return the PNG file of pixels, empty for no image."""
    return images.png(array_of(pixels)) if pixels else b""
