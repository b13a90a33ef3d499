"""ONNX.js 0.1.3 fails on a node that reads several results of one node (issue 53), and runs it lowered."""

from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import graph, image, node

TARGET = targets.load("onnxjs-0.1.3/webgl")
X = image(1, 4, 6, 9)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("first", "inputs", "width"),
    [(node("Split", "x", "a b c", axis=3), "c a b", 9), (node("Relu", "x", "a"), "a a a", 27)],
)
def test_several_results_of_one_node(first, inputs, width):
    joined = graph([first, node("Concat", inputs, "y", axis=3)], {"x": X}, outputs={"y": (1, 4, 6, width)})
    with pytest.raises(RuntimeFault, match="output .1. already has value: op"), open_runner(joined, TARGET) as runner:
        runner.infer({"x": X})
    lowered = lower(joined, TARGET)
    assert lowered and "copy-second-operand" in list(lowered.applied.rule)
    with open_runner(joined, "ort/cpu") as runner:
        expected = runner.infer({"x": X})["y"]
    with open_runner(lowered.model, TARGET) as runner:
        np.testing.assert_array_equal(runner.infer({"x": X})["y"], expected)
