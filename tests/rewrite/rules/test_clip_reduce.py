import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

OLDEST = targets.load("onnxjs-0.1.3/cpu")
TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize(
    ("low", "high", "kinds"),
    [(-1e9, 1e9, ["ReduceMax", "ReduceMin"]), (2.0, 1.0, ["ReduceMax", "ReduceMin"]), (-100.0, None, ["ReduceMax"])],
)
def test_each_limit_is_a_reduction_that_keeps_small_values(low, high, kinds):
    constants = {k: np.array(v, np.float32) for k, v in (("low", low), ("high", high)) if v is not None}
    before = model([node("Clip", "x", *constants, "y")], SHAPE, constants)
    lowered = lower(before, OLDEST)
    assert [op for op in ops(lowered.model) if op.startswith("Reduce")] == kinds
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_attributes_of_older_opsets():
    before = model([node("Clip", "x", "y", min=-1e9)], SHAPE, opset=9)
    x = values(*SHAPE) * 1e9
    assert_same(before, lower(before, OLDEST).model, x, EXACT)


def test_computed_limits():
    nodes = [node("ReduceMean", "x", "high", keepdims=0), node("Clip", "x", "", "high", "y")]
    before = model(nodes, SHAPE)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_a_shape_that_is_not_fixed_is_refused():
    before = model([node("Clip", "x", "low", "y")], (2, "C", 5, 7), {"low": np.array(-1e9, np.float32)})
    assert_refused(before, OLDEST, "clip-reduce", "not fixed")
