"""Photographs to try things on and to train on: those in scikit-image's wheel that its documentation of `skimage.data`
calls public domain or CC0 (data/README.md names whose they are). Nothing is downloaded.
"""

from __future__ import annotations

import difflib
from pathlib import Path

import numpy as np

from fns_lab import images
from fns_lab.errors import InputError
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
"""Our name to the function in `skimage.data` that gives it. The last four are grey."""

NAMES = tuple(_SOURCES)


def load(name: str, size: tuple[int, int] | None = None) -> np.ndarray:
    """A photograph as float32 `(1, 3, H, W)`, RGB, 0..255, scaled to cover `size` = (H, W) and cut at its centre.

    Raises `InputError` for a name that is none of `NAMES`.
    """
    return images.load(path(name), size=size)


def path(name: str, folder: Path = CACHE / "photos") -> Path:
    """The photograph as a PNG file, written on first use."""
    if name not in _SOURCES:
        near = difflib.get_close_matches(name, NAMES, n=1, cutoff=0)
        raise InputError(f"no photograph {name!r}; the nearest is {near[0]!r} (there are: {', '.join(NAMES)})")
    file = folder / f"{name}.png"
    if not file.exists():
        import skimage.data

        pixels = np.atleast_3d(getattr(skimage.data, _SOURCES[name])())
        folder.mkdir(parents=True, exist_ok=True)
        images.save(np.broadcast_to(pixels, (*pixels.shape[:2], 3)).transpose(2, 0, 1), file)
    return file


def folder(folder: Path = CACHE / "photos") -> Path:
    """A folder that holds every photograph as a file, to train on."""
    for name in NAMES:
        path(name, folder)
    return folder
