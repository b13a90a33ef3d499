"""Arrays in memory that two processes map: written by one, read by the other, copied once at most.

A large array that is taken stays where it was written, as long as it is in use: later arrays are written beside it.
"""

from __future__ import annotations

import mmap
import os
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

ALIGNMENT_BYTES = 64
"""Each array starts at a multiple of this, as engines like it for their vector instructions."""

LARGE_BYTES = 1 << 20
"""An array from this size on is taken without a copy."""
MOST_HELD_BYTES = 1 << 30
"""Most bytes of arrays still in use; further arrays are copied, so that the shared memory stays small."""

Span = tuple[int, int]
"""The first byte of an array in the shared memory, and the first after it."""


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
        self._held: dict[int, int] = {}
        """Arrays that were taken and are in use: by the first byte of each, the first after it."""

    @classmethod
    def create(cls) -> SharedArrays:
        """Return new shared memory: anonymous on Linux, elsewhere a temporary file that has no name."""
        if hasattr(os, "memfd_create"):
            return cls(os.memfd_create("fns_lab"))
        with tempfile.TemporaryFile() as file:
            return cls(os.dup(file.fileno()))

    @property
    def held(self) -> list[Span]:
        """Where arrays lie that were taken and are still in use, in order."""
        return sorted(self._held.copy().items())

    def write(self, arrays: Mapping[str, np.ndarray], held: Sequence[Span] = ()) -> list[Place]:
        """Copy `arrays` into the memory, over all but the bytes in `held`, and return where each one lies."""
        places, end, taken = [], 0, list(held)
        for name, array in arrays.items():
            strings = array.dtype.hasobject
            size = 0 if strings else -(-array.nbytes // ALIGNMENT_BYTES) * ALIGNMENT_BYTES
            start = _gap(taken, size)
            places.append(Place(name, array.dtype.name, array.shape, start, array if strings else None))
            if size:
                taken = sorted([*taken, (start, start + size)])
                end = max(end, start + size)
        if end > os.fstat(self.descriptor).st_size:
            os.ftruncate(self.descriptor, end)
        for place, view in zip(places, self._views(places), strict=True):
            if place.array is None:
                view[...] = arrays[place.name]
        return places

    def read(self, places: Sequence[Place]) -> dict[str, np.ndarray]:
        """Return the arrays at `places` as views, right until the next `write`."""
        return {place.name: view for place, view in zip(places, self._views(places), strict=True)}

    def take(self, places: Sequence[Place]) -> dict[str, np.ndarray]:
        """Return the arrays at `places`: copies of small ones, views of large ones, which are `held` while in use."""
        views = self._views(places)
        return {place.name: self._taken(place, view) for place, view in zip(places, views, strict=True)}

    def _taken(self, place: Place, view: np.ndarray) -> np.ndarray:
        in_use = sum(end - start for start, end in self.held)
        if place.array is not None or view.nbytes < LARGE_BYTES or in_use + view.nbytes > MOST_HELD_BYTES:
            return view.copy()
        # NumPy keeps the array `owner` alive in every view of the result, also in those that the caller makes.
        owner = np.ndarray(view.nbytes, np.uint8, self._map, place.offset)
        self._held[place.offset] = place.offset + view.nbytes
        weakref.finalize(owner, self._held.pop, place.offset, None)
        return owner.view(view.dtype).reshape(view.shape)

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


def _gap(taken: Sequence[Span], size: int) -> int:
    """Return the first multiple of the alignment with so many bytes after it that no span, which are in order, has."""
    start = 0
    for first, end in taken:
        if first - start >= size:
            break
        start = max(start, -(-end // ALIGNMENT_BYTES) * ALIGNMENT_BYTES)
    return start
