import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

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


def test_refusals():
    row = lower(layer_norm(shape=(2, 3, 5, "w")), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "layer-norm-reduce")
    assert "--shape" in row.reason
    nodes = [node("ReduceMean", "x", "axes", "g", keepdims=0), node("LayerNormalization", "x", "g", "y")]
    computed = lower(model(nodes, SHAPE, {"axes": np.array([0, 1, 2])}), TARGET)
    assert "g is computed" in computed.refused.iloc[0].reason
