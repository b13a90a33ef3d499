"""Random numbers of the tests: each test, shared fixture and test file draws from a seed of its own.

A test sees the same numbers whether it runs alone or in the suite, and in any order. `tests/conftest.py` calls
`seeded` around each of them, with its id as the name.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator

import numpy as np

try:
    import torch
except ModuleNotFoundError:  # the tests of `make test-lowest` need none
    torch = None

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
    outer, outer_torch = _current, torch and torch.default_generator.get_state()
    _current = np.random.default_rng(seed_of(name))
    if torch:  # which starts each process with another seed
        torch.default_generator.manual_seed(seed_of(name))
    try:
        yield
    finally:
        _current = outer
        if torch:
            torch.default_generator.set_state(outer_torch)
