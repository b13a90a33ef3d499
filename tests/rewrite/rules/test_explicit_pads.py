import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (1, 3, 8, 7)


def conv(how, *, shape=SHAPE, **attributes):
    return model([node("Conv", "x", "w", "y", auto_pad=how, **attributes)], shape, {"w": values(2, 3, 3, 2)})


@pytest.mark.parametrize("how", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("ways", [{}, {"strides": [2, 1]}, {"strides": [3, 2]}])
def test_the_pads_are_those_of_onnx(how, ways):
    before = conv(how, **ways)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Conv"]
    attributes = {a.name for a in lowered.model.graph.node[0].attribute}
    assert "pads" in attributes and "auto_pad" not in attributes
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("op", ["MaxPool", "AveragePool"])
def test_of_pools_too(op):
    before = model([node(op, "x", "y", kernel_shape=[3, 2], strides=[2, 2], auto_pad="SAME_UPPER")], SHAPE, opset=12)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == [op]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_refusals():
    row = lower(conv("SAME_UPPER", shape=(1, 3, "h", 7)), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "explicit-pads")
    assert "--shape" in row.reason
    skipping = model(
        [node("MaxPool", "x", "y", kernel_shape=[1, 1], strides=[3, 1], auto_pad="SAME_UPPER")], (1, 3, 6, 7)
    )
    assert "skips 2 elements" in lower(skipping, TARGET).refused.iloc[0].reason


def test_a_window_that_skips_the_last_element_begins_at_the_first():
    before = conv("SAME_UPPER", shape=(1, 3, 6, 8), strides=[4, 3])
    lowered = lower(before, TARGET)
    assert_same(before, lowered.model, values(1, 3, 6, 8), EXACT)
