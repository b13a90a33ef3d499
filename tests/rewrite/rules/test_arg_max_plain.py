import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5)


def indexed(op, *, shape=SHAPE, opset=13, **attributes):
    nodes = [node("Floor", "x", "f"), node(op, "f", "i", **attributes), node("Gather", "table", "i", "y")]
    return model(nodes, shape, {"table": values(5)}, opset=opset)


@pytest.mark.parametrize("axis", [0, 1, -1])
@pytest.mark.parametrize("keepdims", [0, 1])
@pytest.mark.parametrize("last", [0, 1])
def test_the_smallest_of_equal_elements(axis, keepdims, last):
    before = indexed("ArgMin", axis=axis, keepdims=keepdims, select_last_index=last)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert {"Neg", "ArgMax"} <= set(ops(lowered.model))
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("axis", [1, -3])
def test_the_last_of_the_largest_elements(axis):
    before = indexed("ArgMax", axis=axis, select_last_index=1)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Floor", "Gather", "ArgMax", "Gather", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_a_size_that_is_not_fixed_is_refused_for_the_last_index_only():
    before = indexed("ArgMin", shape=(2, "C", 5), axis=1, select_last_index=1)
    assert_refused(before, TARGET, "arg-max-plain", "not fixed")
    assert lower(indexed("ArgMin", shape=(2, "C", 5), axis=1), TARGET)


def test_older_opsets():
    before = indexed("ArgMin", opset=7, axis=1)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_negated_numbers_keep_their_order():
    x = np.float32([[np.inf, -np.inf, 0, -0.0, 1e-45]])
    before = indexed("ArgMin", shape=x.shape, axis=1)
    assert_same(before, lower(before, TARGET).model, x, EXACT)


def test_the_least_of_all_integers_is_found():
    """Negated it would overflow."""
    text = """<ir_version: 8, opset_import: ["": 13]>
    least (int32[2, 3] x) => (int64[2] y) { y = ArgMin <axis = 1, keepdims = 0>(x) }"""
    before, least = onnx.parser.parse_model(text), -(2**31)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Sub", "ArgMax"]
    assert_same(before, lowered.model, np.array([[5, least, 3], [2**31 - 1, 0, least]], np.int32), EXACT)
