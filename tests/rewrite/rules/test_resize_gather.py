import itertools

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)
NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}


def resize(scales, shape=SHAPE, **attributes):
    constants = {"scales": np.array(scales, np.float32)}
    return model([node("Resize", "x", "", "scales", "y", **attributes)], shape, constants)


@pytest.mark.parametrize(
    ("scales", "gathers"), [([1, 1, 2, 2], 2), ([1, 1, 3, 2], 2), ([1, 1, 1, 4], 1), ([2, 1, 2, 2], 3)]
)
@pytest.mark.parametrize("attributes", [NEAREST, {"mode": "nearest"}])
def test_gathers_equal_the_resize(scales, gathers, attributes):
    before = resize(scales, **attributes)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == ["Gather"] * gathers
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_opset_10_rounds_up_where_it_shrinks():
    scales = {"scales": np.array([1, 1, 0.6, 2.3], np.float32)}
    before = model([node("Resize", "x", "scales", "y", mode="nearest")], SHAPE, scales, opset=10)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_sizes_instead_of_scales():
    nodes = [node("Resize", "x", "", "", "sizes", "y", **NEAREST)]
    before = model(nodes, SHAPE, {"sizes": np.array([2, 3, 10, 21])})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("opset", [7, 9])
def test_upsample(opset):
    scales = [1.0, 1.0, 2.0, 2.0]
    if opset == 7:
        before = model([node("Upsample", "x", "y", mode="nearest", scales=scales)], SHAPE, opset=7)
    else:
        constants = {"scales": np.array(scales, np.float32)}
        before = model([node("Upsample", "x", "scales", "y", mode="nearest")], SHAPE, constants, opset=9)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("rounding", ["floor", "ceil", "round_prefer_floor", "round_prefer_ceil"])
@pytest.mark.parametrize(
    ("coordinates", "scales"),
    [
        *itertools.product(
            ["half_pixel", "pytorch_half_pixel", "asymmetric"], [[1, 1, 1.5, 2], [1, 1, 0.5, 2.7], [1, 1, 2, 3]]
        ),
        *itertools.product(["align_corners"], [[1, 1, 1.2, 2], [1, 1, 0.6, 1], [1, 1, 2, 3]]),
    ],
)
def test_every_way_of_rounding_up_and_down(coordinates, scales, rounding):
    before = resize(scales, mode="nearest", coordinate_transformation_mode=coordinates, nearest_mode=rounding)
    lowered = lower(before, TARGET)
    assert set(ops(lowered.model)) == {"Gather"}
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("rounding", ["floor", "round_prefer_ceil"])
def test_a_part_of_the_image_and_what_is_beyond_it(rounding):
    attributes = {"coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": 10.0}
    constants = {"roi": np.array([0.25, -0.5, 1.5, 0.6], np.float32), "sizes": np.array([4, 9])}
    nodes = [node("Resize", "x", "roi", "", "sizes", "y", axes=[2, 3], nearest_mode=rounding, **attributes)]
    before = model(nodes, SHAPE, constants)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Concat", "Gather"] * 2
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_sizes_that_keep_the_aspect_ratio(policy):
    attributes = {"mode": "nearest", "axes": [3, 2], "keep_aspect_ratio_policy": policy}
    before = model([node("Resize", "x", "", "", "sizes", "y", **attributes)], SHAPE, {"sizes": np.array([9, 8])})
    lowered = lower(before, TARGET)
    assert set(ops(lowered.model)) == {"Gather"}
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(("rounding", "before", "after"), [("round_prefer_ceil", 7, 2), ("round_prefer_floor", 7, 38)])
def test_what_is_a_tie_but_for_rounding_is_a_tie(rounding, before, after):
    ways = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": rounding}
    shape = (1, 1, 3, before)
    nodes = [node("Resize", "x", "", "", "sizes", "y", **ways)]
    resized = model(nodes, shape, {"sizes": np.array([1, 1, 3, after])})
    assert_same(resized, lower(resized, TARGET).model, values(*shape), EXACT)


def test_a_target_that_has_upsample_gets_upsample():
    before = resize([1, 1, 2, 2], **NEAREST)
    lowered = lower(before, targets.load("onnxjs-0.1.8/cpu"))
    assert lowered
    assert ops(lowered.model) == ["Upsample"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (resize([1, 1, 2, 2], shape=(1, 3, "h", "w"), mode="linear"), "linear"),
        (
            resize([1, 1, 2, 2], mode="nearest", coordinate_transformation_mode="tf_crop_and_resize"),
            "has no input 1",
        ),
        (resize([1, 1, 1.5, 2], mode="nearest", coordinate_transformation_mode="align_corners"), "align_corners"),
        (resize([1, 1, 2, 2], shape=(1, 3, "h", "w"), **NEAREST), "--shape"),
    ],
)
def test_refusals(before, reason):
    lowered = lower(before, TARGET)
    assert not lowered
    row = lowered.refused[lowered.refused.rule == "resize-gather"].iloc[0]
    assert row.node == "node_y"
    assert reason in row.reason


def test_a_scale_whose_new_size_depends_on_the_rounding_is_refused():
    scales = np.array([1, 1, 1.4, 1], np.float32)
    before = model([node("Resize", "x", "", "s", "y", mode="nearest")], (1, 1, 5, 2), {"s": scales})
    assert_refused(before, TARGET, "resize-gather", "5 x 1.39999998 elements are rounded to different sizes")
