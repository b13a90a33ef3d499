"""The images of a preview: offered by their files, uploaded, and the latest one at the size that was asked for."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fns_lab import images
from fns_lab.errors import InputError
from fns_lab.views.widgets.pixels import Pixels, pixels_of

OWN_MOST_PIXELS = 1 << 19
"""An image that is shown at its own size is scaled down to so many pixels, for which 3 GB of memory are enough."""


class ImageStore:
    """Images by label: paths, or the content of uploaded files. The latest array and its pixels are kept."""

    def __init__(self, paths: Mapping[str, images.Source]) -> None:
        self._sources = dict(paths)
        self._latest: tuple[object, np.ndarray, Pixels] | None = None

    @property
    def labels(self) -> list[str]:
        """The labels, in order."""
        return list(self._sources)

    def add(self, label: str, content: bytes) -> None:
        """Offer an uploaded file; one with this label is replaced. Raises `InputError` for what is no image."""
        images.open_rgb(content, label)
        self._sources[label] = content
        self._latest = None

    def load(self, label: str, size: tuple[int, int] | None) -> tuple[np.ndarray, Pixels]:
        """Return an image `(1, 3, H, W)`, 0..255, at a size or at its own, and its pixels."""
        key = (label, size)
        if self._latest is None or self._latest[0] != key:
            if label not in self._sources:
                raise InputError("choose an image")
            most = OWN_MOST_PIXELS if size is None else None
            x = images.load(self._sources[label], size=size, most_pixels=most, name=label)
            self._latest = key, x, pixels_of(x)
        return self._latest[1:]
