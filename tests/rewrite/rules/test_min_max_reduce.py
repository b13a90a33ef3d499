import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
OLDEST = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("order", [("x", "c"), ("c", "x")])
def test_a_constant_number_is_a_limit(op, order):
    before = model([node(op, *order, "y")], SHAPE, {"c": np.array(0.7, np.float32)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Clip"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("target", [TARGET, OLDEST])
def test_the_larger_of_a_value_and_0_is_relu(target):
    before = model([node("Max", "x", "c", "y")], ("N", 3), {"c": np.zeros(1, np.float32)})
    lowered = lower(before, target)
    assert ops(lowered.model) == ["Relu"]
    assert_same(before, lowered.model, values(2, 3), EXACT)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("target", [TARGET, OLDEST])
def test_any_number_of_values_of_any_shape(op, target):
    before = model([node(op, "x", "a", "b", "y")], SHAPE, {"a": values(*SHAPE), "b": values(7)})
    lowered = lower(before, target)
    assert ops(lowered.model) == ["Unsqueeze", "Concat", f"Reduce{op}"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("other", [-1e9, 1e9, -np.inf, np.inf])
def test_small_values_beside_far_and_infinite_ones(op, other):
    far = np.full(SHAPE, other, np.float32)
    far[..., ::2] = 0.5
    before = model([node(op, "x", "a", "y")], SHAPE, {"a": far})
    x = values(*SHAPE)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


def test_values_of_one_shape_that_is_not_fixed():
    before = model([node("Neg", "x", "n"), node("Max", "n", "x", "y")], ("N", 3, "H", "W"))
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_whole_numbers():
    nodes = [
        node("ArgMax", "x", "i", axis=0, keepdims=0),
        node("ArgMax", "n", "j", axis=0, keepdims=0),
        node("Max", "i", "j", "m"),
        node("Gather", "table", "m", "y"),
    ]
    before = model([node("Neg", "x", "n"), *nodes], (5, 6), {"table": values(5)})
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(5, 6), EXACT)


def test_shapes_that_differ_and_are_not_fixed_are_refused():
    nodes = [node("ReduceMean", "x", "axes", "m"), node("Max", "x", "m", "y")]
    before = model(nodes, (2, "C", 5, 7), {"axes": np.array([3])})
    assert_refused(before, TARGET, "min-max-reduce", "not fixed")
