import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
OPS = {
    "ReduceL1": ["Abs", "ReduceSum"],
    "ReduceL2": ["ReduceSumSquare", "Sqrt"],
    "ReduceLogSumExp": ["ReduceMax", "Sub", "Exp", "ReduceSum", "Log", "Add"],
}


@pytest.mark.parametrize("opset", [7, 13, 18])
@pytest.mark.parametrize("op", OPS)
def test_at_every_opset(op, opset):
    given = {"axes": np.array([1, -1])} if opset >= 18 else {}
    ways = {} if given else {"axes": [1, 3]}
    before = model([node(op, "x", *given, "y", **ways)], SHAPE, given, opset=opset)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == OPS[op]
    assert_same(before, lowered.model, 40 * values(*SHAPE), ROUNDING)


def test_without_the_reduced_axes_and_over_all():
    before = model([node("ReduceLogSumExp", "x", "y", keepdims=0)], SHAPE)
    lowered = lower(before, TARGET)
    assert ops(lowered.model).count("ReduceMax") == 2
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("op", "left"), [("ReduceL1", ["Abs"]), ("ReduceL2", ["Abs"]), ("ReduceLogSum", ["Log"]), ("ReduceLogSumExp", [])]
)
def test_over_no_axes(op, left):
    """Each element by itself."""
    before = model([node("Sigmoid", "x", "s"), node(op, "s", "y", noop_with_empty_axes=1)], SHAPE)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Sigmoid", *left]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_an_unknown_shape_is_refused():
    unknown = lower(model([node("ReduceL1", "x", "y")], None), TARGET).refused.iloc[0]
    assert "unknown" in unknown.reason
