import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


def flatten(axis, *, shape=SHAPE, opset=13):
    return model([node("Flatten", "x", "y", axis=axis)], shape, opset=opset)


@pytest.mark.parametrize("axis", [0, 1, 2, 4, -1])
def test_flatten_is_a_reshape(axis):
    before = flatten(axis)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_after_the_first_axis_any_size_will_do():
    lowered = lower(flatten(1, shape=("n", 3, "h", "w")), TARGET)
    assert ops(lowered.model) == ["Reshape"]
    assert_same(flatten(1), lowered.model, values(*SHAPE), EXACT)


def test_refusals():
    row = lower(flatten(2, shape=("n", 3, 5, 7)), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "flatten-reshape")
    assert "--shape" in row.reason
