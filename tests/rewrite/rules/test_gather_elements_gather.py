import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5)


def gather_elements(indices, axis, *, shape=SHAPE, opset=18):
    nodes = [node("GatherElements", "x", "i", "y", axis=axis)]
    return model(nodes, shape, {"i": np.array(indices)}, opset=opset)


@pytest.mark.parametrize("opset", [11, 13])
@pytest.mark.parametrize(
    ("indices", "axis"), [([[[2, -1, 0]], [[1, 1, 1]]], 1), ([[[0, 4, -5, 3]]], -1), ([[[1, 0], [0, 0], [1, -2]]], 0)]
)
def test_each_element_is_copied_from_its_place(indices, axis, opset):
    before = gather_elements(indices, axis, opset=opset)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_one_axis_needs_no_reshape():
    before = gather_elements([4, 0, -1], 0, shape=(5,))
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather"]
    assert_same(before, lowered.model, values(5), EXACT)


def test_refusals():
    assert_refused(gather_elements([[[0]]], 1, shape=(2, "C", 5)), TARGET, "gather-elements-gather", "not fixed")
    nodes = [node("ArgMax", "x", "i", axis=1), node("GatherElements", "x", "i", "y", axis=1)]
    assert_refused(model(nodes, SHAPE), TARGET, "gather-elements-gather", "i is computed")
