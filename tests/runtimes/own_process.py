"""An engine's own process: its number, and whether it computes."""

from __future__ import annotations

import numpy as np

from tests.runtimes.graphs import image

X = image(1, 3, 5, 7, mean=0.0)


def is_right(runner) -> bool:
    return np.array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))


def process_of(runner) -> int:
    return runner._process._process.pid
