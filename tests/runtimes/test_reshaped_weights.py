"""The webgl engines compute a Conv wrongly if a Reshape computes its weights."""

from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import FLOAT32_ERROR, graph, image, node, worst_error

X, WEIGHTS = image(1, 4, 1, 11, mean=0.0), image(2, 4, 4, mean=0.0)


@pytest.mark.browser
@pytest.mark.parametrize("name", ["onnxjs-0.1.3/webgl", "onnxjs-0.1.4/webgl", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
@pytest.mark.parametrize("reshaped", [True, False])
def test_weights_that_a_reshape_computes(name, reshaped):
    weights, target = WEIGHTS if reshaped else WEIGHTS[:, :, None], targets.load(name)
    nodes = [node("Reshape", "w s", "k")] if reshaped else []
    nodes.append(node("Conv", f"x {'k' if reshaped else 'w'}", "y"))
    feeds, constants = {"x": X, "w": weights}, {"s": np.array([2, 4, 1, 4])} if reshaped else {}
    model = graph(nodes, feeds, constants, outputs={"y": (1, 2, 1, 8)})
    with open_runner(model, "ort/cpu") as runner:
        expected = runner.infer(feeds)["y"]
    with open_runner(model, target) as runner:
        right = worst_error(runner.infer(feeds)["y"], expected) < FLOAT32_ERROR
    assert right is not reshaped
    assert bool(targets.check(model, target)) is not reshaped
