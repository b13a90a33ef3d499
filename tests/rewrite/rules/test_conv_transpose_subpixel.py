import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (2, 4, 5, 7)
SHUFFLED = ["Conv", "Reshape", "Transpose", "Reshape", "Slice"]


def conv_transpose(kernel=(3, 3), *, c_out=5, bias=True, shape=SHAPE, group=1, opset=18, **attributes):
    weights = {"w": values(4, c_out, *kernel)} | ({"b": values(c_out * group)} if bias else {})
    return model([node("ConvTranspose", "x", *weights, "y", group=group, **attributes)], shape, weights, opset=opset)


@pytest.mark.parametrize(
    ("before", "expected"),
    [
        (conv_transpose((4, 4), strides=[2, 2], pads=[1, 1, 1, 1]), SHUFFLED),
        (conv_transpose((3, 2), strides=[2, 3], pads=[1, 0, 0, 1], output_padding=[1, 0]), SHUFFLED),
        (conv_transpose((3, 3), strides=[3, 2], dilations=[2, 1], group=2, bias=False), SHUFFLED),
        (conv_transpose((1, 1), strides=[2, 2], output_padding=[1, 1]), SHUFFLED),
        (conv_transpose((3, 3), pads=[1, 1, 1, 1]), ["Conv", "Slice"]),
        (conv_transpose((3, 4), strides=[2, 3], auto_pad="SAME_UPPER"), SHUFFLED),
        (conv_transpose((3, 4), strides=[2, 3], auto_pad="SAME_LOWER"), SHUFFLED),
        (conv_transpose((3, 2), strides=[2, 2], auto_pad="VALID"), SHUFFLED),
        (conv_transpose((3, 3), strides=[3, 2], output_shape=[16, 14], output_padding=[0, 0]), SHUFFLED),
        (conv_transpose((4, 4), strides=[2, 2], output_shape=[9, 13], output_padding=[1, 0]), SHUFFLED),
    ],
)
def test_one_conv_and_a_shuffle(before, expected):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (conv_transpose(strides=[2, 2], output_shape=[14, 14]), "larger than without padding"),
        (conv_transpose(opset=7, strides=[2, 2], auto_pad="SAME_UPPER"), "odd (1) before opset 11"),
        (conv_transpose(strides=[2, 2], auto_pad="SAME_UPPER", output_padding=[1, 0]), "outputs of different sizes"),
        (conv_transpose(shape=(1, 4, "h", 7)), "--shape"),
        (
            model([node("ConvTranspose", "x", "w", "y")], (2, 4, 5, 1, 1), {"w": values(4, 3, 3, 1, 1)}),
            "not (N, C, H, W)",
        ),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "conv-transpose-subpixel", reason)
