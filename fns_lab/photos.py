"""Photographs to try things on: those that scikit-image carries in its wheel (astronaut, cat, coffee and so on; public
domain or CC0, see its `skimage/data/README.txt`). Nothing is downloaded.
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
    "motorcycle": "stereo_motorcycle",
    "galaxies": "hubble_deep_field",
}
"""Our name to the function in `skimage.data` that gives it."""

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

        pixels = getattr(skimage.data, _SOURCES[name])()
        pixels = pixels[0] if isinstance(pixels, tuple) else pixels  # a stereo pair: the left eye's
        folder.mkdir(parents=True, exist_ok=True)
        images.save(np.asarray(pixels, dtype=np.float32).transpose(2, 0, 1), file)
    return file


def folder(folder: Path = CACHE / "photos") -> Path:
    """A folder that holds every photograph as a file, to train on."""
    for name in NAMES:
        path(name, folder)
    return folder
