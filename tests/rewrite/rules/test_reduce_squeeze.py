import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/webgl")
SHAPE = (3, 5, 7)


@pytest.mark.parametrize("opset", [7, 13, 18])
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMean", "ReduceSum"])
def test_a_reduction_to_a_scalar_keeps_its_axes_first(op, opset):
    before = model([node(op, "x", "y", keepdims=0)], SHAPE, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == [op, "Squeeze"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_a_reduction_of_some_axes_stays():
    before = model([node("ReduceMean", "x", "y", keepdims=0, axes=[1, 2])], SHAPE, opset=13)
    assert ops(lower(before, TARGET).model) == ["ReduceMean"]


def test_a_scalar_is_refused():
    assert_refused(model([node("ReduceMax", "x", "y")], ()), TARGET, "reduce-squeeze", "scalar")
