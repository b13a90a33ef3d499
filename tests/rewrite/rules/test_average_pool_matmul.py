import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 9, 11)


def pool(*, shape=SHAPE, kernel=(3, 2), opset=22, **attributes):
    return model([node("AveragePool", "x", "y", kernel_shape=kernel, **attributes)], shape, opset=opset)


@pytest.mark.parametrize("count_include_pad", [0, 1])
@pytest.mark.parametrize(
    "attributes",
    [
        {"dilations": [2, 3]},
        {"dilations": [2, 1], "pads": [1, 0, 1, 1], "strides": [2, 3]},
        {"dilations": [1, 3], "pads": [0, 1, 1, 0], "strides": [4, 2], "ceil_mode": 1},
    ],
)
def test_a_product_for_each_axis(attributes, count_include_pad):
    before = pool(count_include_pad=count_include_pad, **attributes)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["MatMul", "MatMul"]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_windows_that_ceil_mode_adds_count_what_is_inside():
    before = pool(opset=11, kernel=(3, 4), strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1, count_include_pad=1)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_three_dimensions():
    before = pool(shape=(1, 2, 5, 7, 6), kernel=(2, 3, 2), dilations=[2, 1, 3])
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "MatMul", "Reshape", "MatMul", "MatMul"]
    assert_same(before, lowered.model, values(1, 2, 5, 7, 6), ROUNDING)


def test_far_values_do_not_overflow():
    before = pool(dilations=[2, 2])
    assert_same(before, lower(before, TARGET).model, values(*SHAPE) * 1e37, ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (pool(dilations=[2, 2], auto_pad="SAME_LOWER"), "engines pad it differently"),
        (pool(shape=(1, 1, 3, 9), kernel=(2, 2), dilations=[5, 1], pads=[4, 0, 4, 0]), "padding only"),
        (pool(shape=(1, 3, "h", 7), dilations=[2, 2]), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "average-pool-matmul", reason)
