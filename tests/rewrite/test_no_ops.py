import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (3, 5, 7)


@pytest.mark.parametrize(
    ("op", "opset"), [("ReduceSum", 13), ("ReduceMean", 18), ("ReduceMax", 18), ("ReduceProd", 18)]
)
@pytest.mark.parametrize("axes", [None, np.array([], np.int64)])
def test_a_reduction_over_no_axes_changes_nothing(op, opset, axes):
    constants = {} if axes is None else {"axes": axes}
    nodes = [node(op, "x", *constants, "r", noop_with_empty_axes=1), node("Neg", "r", "y")]
    before = model(nodes, SHAPE, constants, opset=opset)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Neg"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceSumSquare"])
def test_others_change_each_element(op):
    before = model([node(op, "x", "y", noop_with_empty_axes=1)], SHAPE, opset=18)
    assert op in ops(lower(before, targets.load("ort/cpu")).model)


@pytest.mark.parametrize("ratio", [0.0, 0.5])
def test_dropout_in_training_changes_nothing_only_if_it_drops_nothing(ratio):
    constants = {"ratio": np.float32(ratio), "training": np.array(True)}
    nodes = [node("Dropout", "x", "ratio", "training", "d"), node("Neg", "d", "y")]
    lowered = lower(model(nodes, SHAPE, constants), TARGET)
    assert (ops(lowered.model) == ["Neg"]) == (not ratio)


@pytest.mark.parametrize("attributes", [{}, {"k": -1}, {"k": 2, "dtype": 1}])
def test_the_unit_matrix_of_a_fixed_shape_is_folded(attributes):
    nodes = [node("EyeLike", "x", "unit", **attributes), node("Add", "x", "unit", "y")]
    before = model(nodes, (5, 7))
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Add"]
    np.testing.assert_array_equal(run(lowered.model, x := values(5, 7)), run(before, x))
