"""An engine's own process: its number, whether it computes, and a model that keeps it busy."""

from __future__ import annotations

import numpy as np

from tests.runtimes.graphs import graph, image, node

LAYERS = 100
X = image(1, 3, 5, 7, mean=0.0)


def is_right(runner) -> bool:
    return np.array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))


def process_of(runner) -> int:
    return runner._process._process.pid


def slow_model():
    """Convolutions that keep an engine busy for many seconds."""
    feeds = {"x": image(1, 64, 256, 256, mean=0.0)}
    weights = {"w": image(64, 64, 9, 9, mean=0.0)}
    chain = [node("Conv", f"{'x' if i == 0 else f'v{i}'} w", f"v{i + 1}", pads=[4] * 4) for i in range(LAYERS)]
    return graph(chain, feeds, weights, outputs={f"v{LAYERS}": (1, 64, 256, 256)}), feeds
