import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (3, 4, 2)
ELEMENTS = np.array([[[1, -1], [2, 0]], [[0, 0], [3, 3]]])
TWICE = np.array([[[1, 1], [1, 0]], [[0, 0], [-3, 3]]])


def scatter(op, indices, updates, *, shape=SHAPE, opset=18, **attributes):
    constants = {"i": np.array(indices), "u": updates}
    return model([node(op, "x", "i", "u", "y", **attributes)], shape, constants, opset=opset)


@pytest.mark.parametrize(
    "before",
    [
        scatter("Scatter", ELEMENTS, values(2, 2, 2), opset=9, axis=1),
        scatter("ScatterElements", ELEMENTS, values(2, 2, 2), axis=-2),
        scatter("ScatterElements", ELEMENTS % 3, values(2, 2, 2), opset=11),
        scatter("ScatterND", [[1, 2], [0, -1]], values(2, 2), opset=11),
        scatter("ScatterND", [[[2]], [[0]]], values(2, 1, 4, 2)),
        scatter("ScatterND", [[1, 2, 1]], values(1)),
    ],
)
def test_updates_are_copied_to_their_places(before):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "Concat", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("reduction", ["add", "mul", "max", "min"])
@pytest.mark.parametrize(
    ("op", "indices", "sizes", "axis"),
    [("ScatterElements", TWICE, (2, 2, 2), {"axis": 1}), ("ScatterND", [[1, 2], [0, 1], [1, 2]], (3, 2), {})],
)
def test_updates_of_one_place_are_joined_in_their_order(op, indices, sizes, axis, reduction):
    before = scatter(op, indices, values(*sizes), reduction=reduction, **axis)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_computed_updates():
    nodes = [node("Slice", "x", "zero", "one", "s"), node("Neg", "s", "n"), node("ScatterND", "x", "i", "n", "y")]
    before = model(nodes, SHAPE, {"zero": np.array([0]), "one": np.array([1]), "i": np.array([[2]])})
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_refusals():
    before = scatter("ScatterND", [[1]], values(1, 4, 2), shape=(3, "C", 2))
    assert_refused(before, TARGET, "scatter-gather", "not fixed")
    nodes = [node("ArgMax", "x", "i", axis=2), node("ScatterElements", "x", "i", "u", "y")]
    assert_refused(model(nodes, SHAPE, {"u": values(3, 4, 1)}), TARGET, "scatter-gather", "i is computed")
