import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
OPS = ["ReduceMean", "Sub", "ReduceSumSquare", "Add", "Sqrt", "Div", "Mul", "Add"]


def layer_norm(axis=-1, *, shape=SHAPE, bias=True, **attributes):
    sizes = tuple(8 if isinstance(s, str) else s for s in shape[axis:])
    weights = {"g": values(*sizes)} | ({"b": values(*sizes)} if bias else {})
    return model([node("LayerNormalization", "x", *weights, "y", axis=axis, **attributes)], shape, weights)


@pytest.mark.parametrize("axis", [-1, 3, 2, 1])
def test_eight_ops_over_any_number_of_axes(axis):
    before = layer_norm(axis)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == OPS
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_without_a_bias():
    before = layer_norm(bias=False)
    assert ops(lower(before, TARGET).model) == OPS[:-1]
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


def test_values_far_from_0_keep_their_variance():
    before = layer_norm()
    assert_same(before, lower(before, TARGET).model, values(*SHAPE) + 3000, 2e-3)


def test_other_axes_may_be_free():
    before = layer_norm(shape=("n", 3, "h", 7))
    assert ops(lower(before, TARGET).model) == OPS


@pytest.mark.parametrize("used", ["y", "mean", "deviation"])
@pytest.mark.parametrize("axis", [-1, 1])
def test_each_of_the_three_outputs(axis, used):
    before = layer_norm(axis)
    before.graph.node[0].output.extend(["mean", "deviation"])
    before.graph.output[0].name = used
    before.graph.output[0].type.tensor_type.ClearField("shape")
    before = onnx.shape_inference.infer_shapes(before)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_a_computed_scale():
    nodes = [node("ReduceMean", "x", "axes", "g", keepdims=0), node("LayerNormalization", "x", "g", "y")]
    before = model(nodes, SHAPE, {"axes": np.array([0, 1, 2])})
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


def test_a_size_that_is_not_fixed_is_refused():
    assert_refused(layer_norm(shape=(2, 3, 5, "w")), TARGET, "layer-norm-reduce", "--shape")
