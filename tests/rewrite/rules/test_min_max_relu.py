import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize("op", ["Max", "Min"])
@pytest.mark.parametrize("order", [("x", "c"), ("c", "x")])
def test_a_constant_number_is_a_limit(op, order):
    before = model([node(op, *order, "y")], SHAPE, {"c": np.array(0.7, np.float32)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Clip"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("op", ["Max", "Min"])
def test_any_number_of_values_by_relu(op):
    before = model([node(op, "x", "a", "b", "y")], SHAPE, {"a": values(*SHAPE), "b": values(7)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Sub", "Relu", "Add" if op == "Max" else "Sub"] * 2
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_whole_numbers_are_refused():
    nodes = [node("Cast", "x", "i", to=7), node("Max", "i", "i2", "m"), node("Cast", "m", "y", to=1)]
    nodes.insert(1, node("Neg", "i", "i2"))
    refused = lower(model(nodes, SHAPE), TARGET).refused
    row = refused[refused.rule == "min-max-relu"].iloc[0]
    assert row.node == "node_m"
    assert "this rule takes float32" in row.reason
