from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


def test_unlike_shapes_are_added_one_after_the_other():
    before = model([node("Sum", "x", "a", "b", "y")], SHAPE, {"a": values(7), "b": values(3, 1, 1)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Add", "Add"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_equal_shapes_stay_a_sum():
    before = model([node("Sum", "x", "a", "b", "y")], SHAPE, {"a": values(*SHAPE), "b": values(*SHAPE)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Sum"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)
