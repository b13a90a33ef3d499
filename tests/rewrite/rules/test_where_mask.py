import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
MASK = values(5, 7) > 1


@pytest.mark.parametrize("order", [("c", "x", "o"), ("c", "o", "x")])
@pytest.mark.parametrize(("other", "expected"), [(0.0, ["Mul"]), (-3.0, ["Mul", "Add"])])
def test_a_constant_side_is_masked_beforehand(other, expected, order):
    before = model([node("Where", *order, "y")], SHAPE, {"c": MASK, "o": np.array(other, np.float32)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_a_constant_side_may_be_infinite():
    nodes = [node("Where", "c", "x", "o", "w"), node("Exp", "w", "y")]
    before = model(nodes, SHAPE, {"c": MASK, "o": np.array(-np.inf, np.float32)})
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_two_computed_sides():
    nodes = [node("Neg", "x", "n"), node("Where", "c", "x", "n", "y")]
    before = model(nodes, SHAPE, {"c": MASK})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Neg", "Mul", "Mul", "Add"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_refusals():
    nodes = [node("Greater", "x", "one", "c"), node("Where", "c", "x", "one", "y")]
    refused = lower(model(nodes, SHAPE, {"one": np.ones(1, np.float32)}), TARGET).refused
    row = refused[refused.rule == "where-mask"].iloc[0]
    assert row.node == "node_y"
    assert "c is computed" in row.reason
