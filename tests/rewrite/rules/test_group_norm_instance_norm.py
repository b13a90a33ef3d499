import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 6, 5, 7)
OPS = ["Reshape", "InstanceNormalization", "Reshape", "Mul", "Add"]


def group_norm(opset, *, shape=SHAPE, groups=3):
    size = groups if opset < 21 else 6
    weights = {"g": values(size), "b": values(size)}
    nodes = [node("GroupNormalization", "x", "g", "b", "y", num_groups=groups, epsilon=1e-3)]
    return model(nodes, shape, weights, opset=opset)


@pytest.mark.parametrize("opset", [18, 21])
@pytest.mark.parametrize("groups", [1, 2, 3])
def test_groups_become_channels(opset, groups):
    before = group_norm(opset, groups=groups)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == OPS
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_further_down_where_that_is_missing_too():
    before = group_norm(18)
    lowered = lower(before, targets.load("onnxjs-0.1.3/cpu"))
    assert {"group-norm-instance-norm", "instance-norm-reduce"} <= set(lowered.applied.rule)
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("shape", [(2, 6, 5), (2, 6, 3, 5, 7)])
def test_any_number_of_dimensions(shape):
    before = group_norm(21, shape=shape)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == OPS
    assert_same(before, lowered.model, values(*shape), ROUNDING)


def test_a_size_that_is_not_fixed_is_refused():
    assert_refused(group_norm(18, shape=(2, 6, "h", 7)), TARGET, "group-norm-instance-norm", "--shape")
