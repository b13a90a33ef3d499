import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
MASK = values(5, 7) > 1


@pytest.mark.parametrize("order", [("c", "x", "o"), ("c", "o", "x")])
@pytest.mark.parametrize("other", [np.array(-3.0), values(5, 7), values(2, 1, 5, 1)])
def test_one_computed_value(other, order):
    before = model([node("Where", *order, "y")], SHAPE, {"c": MASK, "o": other.astype(np.float32)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "Concat", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_a_constant_value_may_be_infinite():
    nodes = [node("Where", "c", "x", "o", "w"), node("Exp", "w", "y")]
    before = model(nodes, SHAPE, {"c": MASK, "o": np.array(-np.inf, np.float32)})
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_what_is_not_chosen_may_be_anything():
    """A softmax over nothing but minus infinity is NaN, and an attention takes zeros in its place."""
    before = model([node("Where", "c", "o", "x", "y")], SHAPE, {"c": MASK, "o": np.array(0, np.float32)})
    x = values(*SHAPE)
    x[..., MASK] = np.resize([np.nan, np.inf, -np.inf], (2, 3, MASK.sum()))
    lowered = lower(before, TARGET).model
    assert np.isfinite(run(lowered, x)).all()
    np.testing.assert_array_equal(run(lowered, x), run(before, x))


def test_the_sign_of_zero_is_kept():
    zeros = np.array([0.0, -0.0, -0.0, 0.0, -0.0, 0.0, 1.0], np.float32)
    before = model([node("Where", "c", "x", "o", "y")], SHAPE, {"c": MASK, "o": zeros})
    x = values(*SHAPE)
    np.testing.assert_array_equal(np.signbit(run(lower(before, TARGET).model, x)), np.signbit(run(before, x)))


def test_shapes_that_broadcast():
    nodes = [node("ReduceMean", "x", "axes", "m"), node("Where", "c", "x", "m", "y")]
    before = model(nodes, SHAPE, {"c": MASK, "axes": np.array([1, 3])})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["ReduceMean", "Reshape", "Reshape", "Concat", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("shape", "reason"),
    [(SHAPE, "c is computed"), ((2, "C", 5, 7), "not fixed"), ((0, 3, 5, 7), "has no elements")],
)
def test_refusals(shape, reason):
    nodes = [node("Where", "c", "x", "one", "y")]
    constants = {"one": np.ones(1, np.float32)}
    if shape == SHAPE:
        nodes = [node("Cast", "x", "c", to=9), *nodes]
    else:
        constants["c"] = MASK
    assert_refused(model(nodes, shape, constants), TARGET, "where-gather", reason, alone=True)
