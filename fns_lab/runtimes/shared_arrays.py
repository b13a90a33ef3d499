"""Arrays in memory that two processes map: written by one, read by the other, copied once at most."""

from __future__ import annotations

import mmap
import os
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

ALIGNMENT_BYTES = 64
"""Each array starts at a multiple of this, as engines like it for their vector instructions."""


class Place(NamedTuple):
    """Where one array lies in the shared memory. Strings, which have no fixed size, travel as `array` itself."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    offset: int
    array: np.ndarray | None = None


class SharedArrays:
    """Memory behind a file descriptor, which a child process inherits. It grows as needed and never shrinks."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._map: mmap.mmap | None = None

    @classmethod
    def create(cls) -> SharedArrays:
        """Return new shared memory: anonymous on Linux, elsewhere a temporary file that has no name."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("fns_lab"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    def write(self, arrays: Mapping[str, np.ndarray]) -> list[Place]:
        """Copy `arrays` into the memory, over what was there, and return where each one lies."""
        places, end = [], 0
        for name, array in arrays.items():
            strings = array.dtype.hasobject
            places.append(Place(name, array.dtype.name, array.shape, end, array if strings else None))
            end += 0 if strings else -(-array.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
        if end > os.fstat(self.descriptor).st_size:
            os.ftruncate(self.descriptor, end)
        for place, view in zip(places, self._views(places), strict=True):
            if place.array is None:
                view[...] = arrays[place.name]
        return places

    def read(self, places: Sequence[Place], *, copy: bool) -> dict[str, np.ndarray]:
        """Return the arrays at `places`. Without `copy` they are views, right until the next `write`."""
        views = self._views(places)
        return {place.name: view.copy() if copy else view for place, view in zip(places, views, strict=True)}

    def close(self) -> None:
        """Give the memory back once no view of it is left."""
        self._map = None
        os.close(self.descriptor)

    def _views(self, places: Sequence[Place]) -> list[np.ndarray]:
        size = os.fstat(self.descriptor).st_size
        if size and (self._map is None or len(self._map) < size):
            self._map = mmap.mmap(self.descriptor, size)
        return [self._view(place) for place in places]

    def _view(self, place: Place) -> np.ndarray:
        if place.array is not None:
            return place.array
        if self._map is None or 0 in place.shape:
            return np.empty(place.shape, place.dtype)
        return np.ndarray(place.shape, place.dtype, self._map, place.offset)
