import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 9, 11)


def pool(*, shape=SHAPE, kernel=(3, 2), opset=22, **attributes):
    return model([node("MaxPool", "x", "y", kernel_shape=kernel, **attributes)], shape, opset=opset)


@pytest.mark.parametrize("opset", [10, 12, 22])
@pytest.mark.parametrize(
    "attributes",
    [
        {"dilations": [2, 3]},
        {"dilations": [2, 1], "pads": [1, 0, 1, 1], "strides": [2, 3]},
        {"dilations": [1, 3], "pads": [0, 1, 1, 0], "strides": [4, 2], "ceil_mode": 1},
    ],
)
def test_a_maximum_for_each_axis(attributes, opset):
    before = pool(opset=opset, **attributes)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather", "ReduceMax"] * 2
    assert_same(before, lowered.model, values(*SHAPE) - 5, EXACT)


def test_three_dimensions():
    before = pool(shape=(1, 2, 5, 7, 6), kernel=(2, 3, 2), dilations=[2, 1, 3])
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather", "ReduceMax"] * 3
    assert_same(before, lowered.model, values(1, 2, 5, 7, 6), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (pool(dilations=[2, 2], auto_pad="SAME_UPPER"), "engines pad it differently"),
        (pool(shape=(1, 1, 3, 9), kernel=(2, 2), dilations=[5, 1], pads=[4, 0, 4, 0]), "padding only"),
        (pool(shape=(1, 3, "h", 7), dilations=[2, 2]), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "max-pool-reduce", reason)
