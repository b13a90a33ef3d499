import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 9, 11)


def pool(*, shape=SHAPE, kernel=(3, 2), opset=22, **attributes):
    return model([node("LpPool", "x", "y", kernel_shape=kernel, **attributes)], shape, opset=opset)


@pytest.mark.parametrize("p", [1, 2, 3, 4, 5])
@pytest.mark.parametrize(
    "attributes",
    [
        {"dilations": [2, 3]},
        {"dilations": [2, 1], "pads": [1, 0, 1, 1], "strides": [2, 3]},
        {"dilations": [1, 3], "pads": [0, 1, 1, 0], "strides": [4, 2], "ceil_mode": 1},
    ],
)
def test_sums_of_powers(attributes, p):
    before = pool(p=p, **attributes)
    lowered = lower(before, TARGET)
    assert ops(lowered.model).count("MatMul") == 2
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("opset", [7, 11])
def test_older_opsets(opset):
    before = pool(opset=opset, auto_pad="SAME_UPPER")
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("p", [1, 2, 3])
@pytest.mark.parametrize("shape", [(2, 3, 7), (2, 3, 5, 7), (1, 2, 3, 5, 4)])
def test_a_global_pool(shape, p):
    before = model([node("GlobalLpPool", "x", "y", p=p)], shape)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*shape), ROUNDING)


def test_zeros_have_the_norm_0():
    before = pool(p=5)
    x = values(*SHAPE)
    x[:, :, :4] = 0
    assert_same(before, lower(before, TARGET).model, x, ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (pool(p=0), "1 or more is needed"),
        (pool(dilations=[2, 2], auto_pad="SAME_LOWER"), "engines pad it differently"),
        (pool(shape=(1, 3, "h", 7)), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "lp-pool-matmul", reason)
