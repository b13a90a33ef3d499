import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("ort-web/webgpu")


def conv(shape, *kernel, nodes=(), constants=None, opset=18, inputs="xw", **attributes):
    weights = {"w": values(*kernel)} if constants is None else constants
    return model([*nodes, node("Conv", *inputs, "y", **attributes)], shape, weights, opset=opset)


@pytest.mark.parametrize("opset", [7, 11, 18, 22])
@pytest.mark.parametrize("spatial", [(11,), (7, 9), (5, 6, 7)])
def test_channels_are_filled_up_to_a_multiple_of_four(spatial, opset):
    before = conv((2, 9, *spatial), 8, 9, *[3] * len(spatial), opset=opset, pads=[1] * 2 * len(spatial))
    lowered = lower(before, TARGET)
    assert lowered, str(lowered)
    assert ops(lowered.model) == (["Pad", "Conv"] if len(spatial) > 1 else ["Reshape", "Pad", "Conv", "Reshape"])
    assert [8, 12] in [list(tensor.dims[:2]) for tensor in lowered.model.graph.initializer]
    assert_same(before, lowered.model, values(2, 9, *spatial), ROUNDING)


def test_computed_weights_are_filled_up_too():
    nodes = [node("ReduceMean", "x", "m", keepdims=0), node("Add", "v", "m", "w")]
    before = conv((1, 6, 7, 9), nodes=nodes, constants={"v": values(4, 6, 2, 3)}, opset=13)
    lowered = lower(before, TARGET)
    assert lowered, str(lowered)
    assert ops(lowered.model).count("Pad") == 2
    assert_same(before, lowered.model, values(1, 6, 7, 9), ROUNDING)


@pytest.mark.parametrize(
    ("channels", "kernel", "attributes"),
    [
        (3, (8, 3, 3, 3), {}),
        (12, (8, 12, 3, 3), {}),
        (9, (5, 9, 3, 3), {}),
        (9, (8, 9, 1, 1), {}),
        (9, (9, 1, 3, 3), {"group": 9}),
    ],
)
def test_a_conv_that_is_right_is_left_alone(channels, kernel, attributes):
    assert not len(lower(conv((1, channels, 7, 9), *kernel, **attributes), TARGET).applied)


def test_a_kernel_of_one_is_filled_up_where_it_is_padded_or_strided():
    for attributes in ({"strides": [2, 2]}, {"pads": [1, 1, 1, 1]}, {"auto_pad": "SAME_UPPER"}):
        assert ops(lower(conv((1, 9, 7, 9), 8, 9, 1, 1, **attributes), TARGET).model) == ["Pad", "Conv"]
