import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.random_models.draw import with_small_textures
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = with_small_textures(targets.load("onnxjs-0.1.8/webgl"))


@pytest.mark.parametrize(
    ("shape", "parts", "attributes"),
    [
        ((1, 3, 275, 280), 2, {}),
        ((1, 3, 265, 270), 2, {"pads": [4, 3, 2, 1]}),
        ((1, 3, 545, 550), 2, {"strides": [2, 2], "auto_pad": "SAME_UPPER"}),
        ((2, 3, 200, 205), 2, {"pads": [4, 4, 4, 4]}),
        ((1, 3, 648, 648), 7, {"pads": [0, 0, 0, 0]}),
    ],
)
def test_some_rows_each_are_a_convolution_of_their_own(shape, parts, attributes):
    weights = {"w": values(2, 3, 9, 9), "b": values(2)}
    before = model([node("Conv", "x", "w", "b", "y", **attributes)], shape, weights)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == [*["Slice", "Conv"] * parts, "Concat"]
    assert_same(before, lowered.model, values(*shape), ROUNDING)


def test_what_is_not_unrolled_is_left_alone():
    weights = {"w": values(3, 1, 9, 9)}
    grouped = model([node("Conv", "x", "w", "y", group=3)], (1, 3, 275, 280), weights)
    assert ops(lower(grouped, TARGET).model) == ["Conv"]


def test_an_image_that_fills_no_texture_is_refused():
    before = model([node("Conv", "x", "w", "y")], (1, 1, 1, 8209), {"w": values(1, 1, 1, 1)})
    assert_refused(before, TARGET, "conv-rows", "x itself does not fit into a texture")


def test_unrolled_images_of_odd_sizes_are_cut_until_they_fill_a_texture():
    before = model([node("Conv", "x", "w", "y")], (1, 3, 271, 271), {"w": values(2, 3, 9, 9)})
    target = targets.load("onnxjs-0.1.8/webgl")
    assert not targets.check(before, target)
    lowered = lower(before, target)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(1, 3, 271, 271), ROUNDING)
