import pytest

from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, preferring, values

TARGET = preferring("ort/cpu", "conv-split-kernel")
SHAPE = (2, 8, 13, 17)


def conv(*, c_out=2, kernel=(9, 5), bias=True, **attributes):
    constants = {"w": values(c_out, 8 // attributes.get("group", 1), *kernel)}
    if bias:
        constants["b"] = values(c_out)
    return model([node("Conv", "x", *constants, "y", **attributes)], SHAPE, constants)


@pytest.mark.parametrize(
    ("before", "kernels"),
    [
        (conv(), [(3, 5), (3, 1)]),
        (conv(kernel=(9, 9), bias=False), [(3, 9), (3, 1)]),
        (conv(kernel=(7, 3), c_out=1), [(1, 3), (7, 1)]),
        (conv(kernel=(6, 2), pads=[1, 0, 4, 3]), [(2, 2), (3, 1)]),
    ],
)
def test_equal_to_the_convolution(before, kernels):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Conv", "Conv"]
    shapes = {t.name: tuple(t.dims) for t in lowered.model.graph.initializer}
    assert [shapes[n.input[1]][2:] for n in lowered.model.graph.node] == kernels
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (conv(c_out=3), "not few"),
        (conv(kernel=(1, 5)), "several rows"),
        (conv(strides=[1, 2]), "strides"),
        (conv(dilations=[1, 2]), "dilations"),
        (conv(group=2), "2 groups"),
        (conv(auto_pad="VALID"), "auto_pad VALID"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "conv-split-kernel", reason)
