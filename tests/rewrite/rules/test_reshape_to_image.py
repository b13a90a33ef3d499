import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/wasm")


@pytest.mark.parametrize("opset", [7, 11, 18, 22])
@pytest.mark.parametrize(
    "attributes", [{"pads": [1, 2], "strides": [2]}, {"dilations": [2], "group": 3}, {"auto_pad": "SAME_LOWER"}]
)
def test_a_convolution_of_one_dimension(attributes, opset):
    weights = {"w": values(6, 3 // attributes.get("group", 1), 3), "b": values(6)}
    before = model([node("Conv", "x", "w", "b", "y", **attributes)], (2, 3, 7), weights, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == ["Reshape", "Conv", "Reshape"]
    assert_same(before, lowered.model, values(2, 3, 7), EXACT)


def test_a_computed_kernel_is_reshaped_too():
    nodes = [node("Relu", "x", "w"), node("Conv", "x", "w", "y")]
    before = model(nodes, (3, 3, 5))
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model).count("Reshape") == 3
    assert_same(before, lowered.model, values(3, 3, 5), EXACT)


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 5), (1, 3, 2, 3, 5), (1, 3, 2, 1, 3, 5)])
def test_normalizations_of_any_dimension(shape):
    weights = {name: np.abs(values(3)) for name in "gbmv"}
    before = model([node("BatchNormalization", "x", *weights, "y")], shape, weights, opset=15)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*shape), EXACT)


@pytest.mark.parametrize("shape", [(2, 3, 5), (1, 3, 2, 3, 5)])
def test_instance_normalization_of_any_dimension(shape):
    weights = {name: values(3) for name in "gb"}
    before = model([node("InstanceNormalization", "x", *weights, "y")], shape, weights)
    lowered = lower(before, targets.load("onnxjs-0.1.3/cpu"))
    assert lowered
    assert_same(before, lowered.model, values(*shape), ROUNDING)


def test_refusals():
    kernel = {"w": values(4, 3, 1, 3, 3)}
    of_three = model([node("Conv", "x", "w", "y")], (1, 3, 4, 5, 7), kernel)
    assert_refused(of_three, TARGET, "reshape-to-image", "3 dimensions after the channels")
    unknown = model([node("Conv", "x", "w", "y")], (1, 3, "n"), {"w": values(4, 3, 3)})
    assert_refused(unknown, TARGET, "reshape-to-image", "--shape")
