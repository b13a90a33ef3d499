import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import assert_refused, model, node, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


def dequantized(shape):
    nodes = [
        node("DynamicQuantizeLinear", "x", "q"),
        node("DequantizeLinear", "q", "one", "f"),
        node("Mul", "f", "s", "y"),
    ]
    nodes[0].output.extend(["s", "z"])
    return model(nodes, shape, {"one": np.float32(1)})


@pytest.mark.parametrize("x", ["drawn", "zeros", "positive", "negative", "small"])
def test_each_range_is_exact_in_the_engine(x):
    drawn = values(3, 5)
    x = {"drawn": drawn, "zeros": 0 * drawn, "positive": np.abs(drawn), "negative": -np.abs(drawn) * 1e6,
         "small": drawn * np.float32(1e-30)}[x]  # fmt: skip
    before = dequantized((3, 5))
    lowered = lower(before, TARGET)
    assert lowered
    with open_runner(lowered.model, TARGET) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], run(before, x))


def test_a_value_without_elements_is_refused():
    assert_refused(dequantized((0, 5)), TARGET, "dynamic-quantize-float", "x has no elements")
