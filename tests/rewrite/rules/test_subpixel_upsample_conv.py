import dataclasses

import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, upsample_conv, values

TARGET = targets.load("onnxjs-0.1.3/webgl")
SHAPE = (2, 3, 5, 7)
SUBPIXEL = ["Pad", "Conv", "Reshape", "Transpose", "Reshape", "Slice"]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_equal_to_upsample_pad_conv(mode, bias):
    before = upsample_conv(mode=mode, bias=bias)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == SUBPIXEL
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_one_pixel():
    before = upsample_conv(shape=(1, 3, 1, 1), mode="edge")
    assert_same(before, lower(before, TARGET).model, values(1, 3, 1, 1), ROUNDING)


def test_opset_7():
    constants = {"w": values(5, 3, 3, 3)}
    nodes = [
        node("Upsample", "x", "up", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
        node("Pad", "up", "padded", mode="reflect", pads=[0, 0, 1, 1, 0, 0, 1, 1]),
        node("Conv", "padded", "w", "y"),
    ]
    before = model(nodes, SHAPE, constants, opset=7)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == SUBPIXEL
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (upsample_conv(scale=3), "not by 2"),
        (upsample_conv(pads=2), "by 1"),
        (upsample_conv(mode="constant"), "reflect or edge"),
        (upsample_conv(kernel=1), "not 3x3"),
        (upsample_conv(strides=[2, 2]), "strides"),
        (upsample_conv(dilations=[2, 2]), "dilations"),
        (upsample_conv(auto_pad="SAME_UPPER"), "auto_pad SAME_UPPER"),
        (upsample_conv(group=3, c_out=6), "3 groups"),
        (upsample_conv(shape=(1, 3, "h", "w")), "--shape"),
    ],
)
def test_refusals(before, reason):
    lowered = lower(before, dataclasses.replace(TARGET, quirks=()))
    refused = lowered.declined if lowered else lowered.refused
    row = refused[refused.rule == "subpixel-upsample-conv"].iloc[0]
    assert row.node == "node_y"
    assert reason in row.reason
    assert "Transpose" not in ops(lowered.model)
