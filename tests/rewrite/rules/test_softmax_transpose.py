"""Softmax along any axis, LogSoftmax, and the Softmax that an engine gets wrong far below 0."""

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (2, 3, 5, 7)


def softmax(axis, *, opset=13, op="Softmax", shape=SHAPE):
    return model([node(op, "x", "y", axis=axis)], shape, opset=opset)


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_another_axis_goes_between_two_transposes(axis):
    before = softmax(axis)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Transpose", "Softmax", "Transpose"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(("axis", "opset"), [(3, 13), (-1, 18), (1, 7), (2, 11)])
def test_what_the_target_does_as_well_stays(axis, opset):
    before = softmax(axis, opset=opset)
    assert ops(lower(before, TARGET).model) == ["Softmax"]
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(("axis", "opset"), [(1, 13), (-1, 18), (1, 7), (2, 11)])
def test_log_softmax(axis, opset):
    before = softmax(axis, opset=opset, op="LogSoftmax")
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["ReduceMax", "Sub", "Exp", "ReduceSum", "Log", "Sub"]
    assert_same(before, lowered.model, values(*SHAPE) * 50, ROUNDING)


@pytest.mark.parametrize(("axis", "opset"), [(-1, 13), (1, 7)])
def test_the_largest_value_is_taken_off_where_the_engine_does_not(axis, opset):
    before = softmax(axis, opset=opset)
    lowered = lower(before, targets.load("onnxjs-0.1.8/cpu"))
    assert ops(lowered.model) == ["ReduceMax", "Sub", "Softmax"]
    assert_same(before, lowered.model, values(*SHAPE) - 200, ROUNDING)
    again = lower(lowered.model, targets.load("onnxjs-0.1.8/cpu"))
    assert not len(again.applied)


def test_refusals():
    lowered = lower(softmax(1, shape=None), TARGET)
    assert "unknown" in " ".join(lowered.refused.reason)
    assert np.all(lowered.refused.node == "node_y")
