"""Photographs for examples and training, from scikit-image's wheel. Nothing is downloaded.

They are those that the documentation of `skimage.data` calls public domain or CC0; data/README.md names their authors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from fns_lab import images
from fns_lab.errors import InputError, nearest
from fns_lab.paths import CACHE

_SOURCES = {
    "astronaut": "astronaut",
    "cat": "chelsea",
    "coffee": "coffee",
    "rocket": "rocket",
    "galaxies": "hubble_deep_field",
    "retina": "retina",
    "cameraman": "camera",
    "bricks": "brick",
    "grass": "grass",
    "gravel": "gravel",
}
"""Names here, and the functions in `skimage.data` that return the photographs. The last four are grey."""

NAMES = tuple(_SOURCES)
"""Names of the photographs."""


def load(name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """Return a photograph as float32 `(1, 3, H, W)`, RGB, 0..255.

    With `size`, `(H, W)` in pixels, it is scaled to cover that size and cut at its centre.

    Raises `InputError` for a name that is none of `NAMES`.
    """
    return images.load(path(name), size=size)


def path(name: str, folder: Path = CACHE / "photos") -> Path:
    """Return the path of a photograph as a PNG file in `folder`, written on first use."""
    if name not in _SOURCES:
        near = nearest(name, NAMES)
        raise InputError(f"no photograph {name!r}; the nearest is {near!r} (there are: {', '.join(NAMES)})")
    file = folder / f"{name}.png"
    if not file.exists():
        import skimage.data

        pixels = np.atleast_3d(getattr(skimage.data, _SOURCES[name])())
        folder.mkdir(parents=True, exist_ok=True)
        images.save(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1), file)
    return file


def folder(folder: Path = CACHE / "photos") -> Path:
    """Write every photograph as a PNG file into `folder`, for training, and return the folder."""
    for name in NAMES:
        path(name, folder)
    return folder
