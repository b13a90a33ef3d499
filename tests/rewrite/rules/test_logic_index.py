import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (2, 3, 5, 7)
CONSTANTS = {"zero": np.zeros(1, np.float32), "one": np.ones((7,), np.float32), "mask": values(5, 1) > 1}


def logic(*nodes):
    comparisons = [node("Greater", "x", "zero", "a"), node("Less", "x", "one", "b")]
    return model([*comparisons, *nodes, node("Cast", "c", "y", to=1)], SHAPE, CONSTANTS)


@pytest.mark.parametrize("second", ["b", "mask"])
@pytest.mark.parametrize("op", ["And", "Or", "Xor", "Equal"])
def test_each_op_of_two(op, second):
    before = logic(node(op, "a", second, "c"))
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_several_in_a_row():
    before = logic(node("Not", "a", "n"), node("Or", "n", "b", "o"), node("Not", "o", "c"))
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_another_boolean_is_refused():
    before = logic(node("Cast", "x", "other", to=9), node("And", "a", "other", "c"))
    assert_refused(before, TARGET, "logic-index", "a computed boolean")
