import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


@pytest.mark.parametrize("inputs", [("x", "e", "c"), ("e", "x", "c"), ("x", "c", "e")])
def test_inputs_without_elements_are_left_out(inputs):
    constants = {"e": np.zeros((2, 0, 5), np.float32), "c": values(2, 1, 5)}
    before = model([node("Concat", *inputs, "y", axis=1)], (2, 3, 5), constants)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Concat"]
    assert_same(before, lowered.model, values(2, 3, 5), EXACT)


def test_one_that_is_left_is_copied():
    before = model([node("Concat", "x", "e", "y", axis=-1)], (2, 3), {"e": np.zeros((2, 0), np.float32)})
    lowered = lower(before, TARGET)
    assert "Concat" not in ops(lowered.model)
    assert_same(before, lowered.model, values(2, 3), EXACT)


def test_nothing_but_empty_inputs_is_refused():
    nodes = [node("Concat", "e", "e", "c", axis=0), node("ReduceSum", "c", "s", keepdims=0), node("Add", "x", "s", "y")]
    nodes.insert(0, node("Slice", "x", "zero", "zero", "e"))
    assert_refused(model(nodes, (2, 3), {"zero": np.array([0])}), TARGET, "concat-filled", "all inputs or none")
