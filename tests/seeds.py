"""Random numbers of the tests: each test, shared fixture and test file draws from a seed of its own.

A test sees the same numbers whether it runs alone or in the suite, and in any order. `tests/conftest.py` calls
`seeded` around each of them, with its id as the name.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import numpy as np
import torch

_current = np.random.default_rng(0)


def generator() -> np.random.Generator:
    """Return the generator of the test, the shared fixture or the test file that is running."""
    return _current


def seed_of(name: str) -> int:
    """Return the seed that belongs to `name`, the same in every process."""
    return zlib.crc32(name.encode())


@contextlib.contextmanager
def seeded(name: str) -> Iterator[None]:
    """Seed `generator()` and torch by `name` inside the block; restore both after it."""
    global _current
    outer, outer_torch = _current, torch.default_generator.get_state()
    _current = np.random.default_rng(seed_of(name))
    torch.default_generator.manual_seed(seed_of(name))  # a process of torch starts with a seed that differs each time
    try:
        yield
    finally:
        _current = outer
        torch.default_generator.set_state(outer_torch)
