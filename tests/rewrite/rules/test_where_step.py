import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
SHAPE = (2, 3, 5, 7)
ZERO = {"zero": np.zeros(1, np.float32)}


def where(first, second, constants, *, compare="Less", nodes=(), shape=SHAPE, opset=18):
    """Return a model that chooses by a comparison of x with 0."""
    nodes = [*nodes, node(compare, "x", "zero", "c"), node("Where", "c", first, second, "y")]
    return model(nodes, shape, ZERO | constants, opset=opset)


@pytest.mark.parametrize("opset", [9, 18])
@pytest.mark.parametrize("other", [np.array(-3.0), values(5, 7), values(2, 1, 5, 1), values(4, 2, 3, 5, 7)])
@pytest.mark.parametrize("order", [("x", "o"), ("o", "x")])
def test_a_computed_condition(order, other, opset):
    before = where(*order, {"o": other.astype(np.float32)}, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert "Less" not in ops(lowered.model)
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("compare", ["Equal", "Greater", "GreaterOrEqual", "LessOrEqual"])
def test_each_comparison(compare):
    x = np.round(values(*SHAPE))
    before = where("x", "o", {"o": np.array(-3, np.float32)}, compare=compare, opset=16)
    assert_same(before, lower(before, TARGET).model, x, EXACT)


def test_logic_and_moved_booleans():
    nodes = [
        node("Greater", "x", "one", "more"),
        node("Less", "x", "zero", "less"),
        node("Or", "more", "less", "either"),
        node("Not", "more", "not_more"),
        node("Xor", "either", "not_more", "one_of_them"),
        node("And", "one_of_them", "either", "both"),
        node("Unsqueeze", "both", "axis", "moved"),
        node("Where", "moved", "x", "one", "y"),
    ]
    before = model(nodes, (3, 5), ZERO | {"one": np.ones(1, np.float32), "axis": np.array([0])})
    assert_same(before, lower(before, TARGET).model, values(3, 5), EXACT)


@pytest.mark.parametrize("infinite", [[[-np.inf]], [[np.inf, 2, -np.inf, 0, 1, 0, 0]]])
def test_a_constant_infinity_is_chosen_or_not(infinite):
    before = where("o", "x", {"o": np.array(infinite, np.float32)})
    x = values(*SHAPE)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


@pytest.mark.parametrize("sign", [-1, 1])
def test_equal_to_infinity(sign):
    nodes = [node("Equal", "x", "inf", "c"), node("Where", "c", "one", "two", "y")]
    constants = {"inf": np.array(sign * np.inf, np.float32), "one": np.float32([1]), "two": np.float32([2])}
    x = np.array([np.inf, -np.inf, 3e38, -3e38, 0], np.float32)
    before = model(nodes, x.shape, constants)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


@pytest.mark.parametrize("op", ["Exp", "Log", "Sqrt"])
def test_what_may_be_infinite_is_refused(op):
    before = where("x", "o", {}, nodes=[node(op, "x", "o")])
    assert_refused(before, TARGET, "where-step", "may give an infinity or NaN")


def test_refusals():
    assert_refused(where("o", "x", {"o": np.array(np.nan, np.float32)}), TARGET, "where-step", "holds NaN")
    nodes = [node("IsNaN", "x", "c"), node("Where", "c", "zero", "x", "y")]
    assert_refused(model(nodes, SHAPE, ZERO), TARGET, "where-step", "comes from a IsNaN")
    masked = [node("Add", "x", "far", "o"), node("Less", "x", "zero", "c"), node("Where", "c", "o", "x", "y")]
    before = model(masked, SHAPE, ZERO | {"far": np.array(-np.inf, np.float32)})
    assert_refused(before, TARGET, "where-step", "holds an infinity")
    compared = [node("Less", "x", "far", "c"), node("Where", "c", "zero", "x", "y")]
    before = model(compared, SHAPE, ZERO | {"far": np.array(np.inf, np.float32)})
    assert_refused(before, TARGET, "where-step", "holds an infinity or NaN")
