from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


def conv(shape):
    return model([node("Conv", "x", "w", "b", "y", strides=[2, 1])], shape, {"w": values(2, 3, 3, 2), "b": values(2)})


def test_each_image_has_its_conv():
    before = conv((3, 3, 8, 7))
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Slice", "Conv"] * 3 + ["Concat"]
    assert lowered.refused.empty
    assert_same(before, lowered.model, values(3, 3, 8, 7), EXACT)


def test_one_image_and_other_backends_need_none():
    assert ops(lower(conv((1, 3, 8, 7)), TARGET).model) == ["Conv"]
    assert ops(lower(conv((3, 3, 8, 7)), targets.load("onnxjs-0.1.8/wasm")).model) == ["Conv"]


def test_a_free_number_of_images_is_refused():
    row = lower(conv(("n", 3, 8, 7)), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "conv-by-image")
    assert "--shape" in row.reason
