"""Images as a preview sends them to the browser: bytes that need no decoding. A report gets PNG files."""

from __future__ import annotations

import numpy as np

from fns_lab import images

Pixels = dict[str, object]
"""`width` and `height`, and `data`: red, green and blue of each pixel, one byte each, row by row. Empty: no image."""


def pixels_of(x: np.ndarray) -> Pixels:
    """Return `(1, 3, H, W)`, values 0..255, clipped and rounded. Raises `InputError` as `image_from_array` does."""
    image = images.image_from_array(x)
    return {"width": image.width, "height": image.height, "data": image.tobytes()}


def array_of(pixels: Pixels) -> np.ndarray:
    """Return the pixels as an array `(3, H, W)`, values 0..255."""
    height, width, data = pixels["height"], pixels["width"], pixels["data"]
    assert isinstance(data, bytes)
    return np.frombuffer(data, np.uint8).reshape(height, width, 3).transpose(2, 0, 1)  # type: ignore[call-overload]


def png_of(pixels: Pixels) -> bytes:
    """Return the PNG file of pixels, empty for no image."""
    return images.png(array_of(pixels)) if pixels else b""
