"""The webgl engines hold the weights of a Conv in a texture of its own form, and read any other as one of that form."""

from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import FLOAT32_ERROR, graph, image, node, worst_error

X = image(1, 4, 6, 11, mean=0.0)
DENSE, DEPTHWISE = image(2, 4, 3, 3, mean=0.0), image(4, 1, 3, 3, mean=0.0)
JOINED = [node("ReduceMean", "w", "m", axes=[0, 1, 2, 3]), node("Conv", "x w", "c"), node("Add", "c m", "y")]
NODES = {
    "fed": [node("Conv", "x w", "y")],
    "reshaped": [node("Reshape", "w s", "k"), node("Conv", "x k", "y")],
    "computed": [node("Neg", "w", "k"), node("Conv", "x k", "y")],
    "read before": JOINED,
    "read after": [JOINED[1], JOINED[0], JOINED[2]],
}


def is_right(model, feeds, target):
    with open_runner(model, "ort/cpu") as runner:
        expected = runner.infer(feeds)["y"]
    try:
        with open_runner(model, target) as runner:
            return worst_error(runner.infer(feeds)["y"], expected) < FLOAT32_ERROR
    except RuntimeFault:
        return False


@pytest.mark.sampled(4)
@pytest.mark.browser
@pytest.mark.parametrize("name", ["onnxjs-0.1.3/webgl", "onnxjs-0.1.4/webgl", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
@pytest.mark.parametrize("kind", NODES)
def test_weights_that_a_node_computes_or_another_reads(kind, name):
    feeds, constants = {"x": X, "w": DENSE}, {"s": np.array(DENSE.shape)} if kind == "reshaped" else {}
    model, target = graph(NODES[kind], feeds, constants, outputs={"y": (1, 2, 4, 9)}), targets.load(name)
    assert is_right(model, feeds, target) is (kind == "fed")
    assert bool(targets.check(model, target)) is (kind == "fed")


@pytest.mark.browser
@pytest.mark.parametrize(("name", "right"), [("onnxjs-0.1.8/webgl", False), ("ort-web/webgl", True)])
def test_depthwise_weights_that_a_node_computes(name, right):
    nodes = [node("Neg", "w", "k"), node("Conv", "x k", "y", group=4)]
    model, target = graph(nodes, {"x": X, "w": DEPTHWISE}, outputs={"y": (1, 4, 4, 9)}), targets.load(name)
    assert is_right(model, {"x": X, "w": DEPTHWISE}, target) is right
    assert bool(targets.check(model, target)) is right
