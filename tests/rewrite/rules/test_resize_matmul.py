import numpy as np
import pytest
from onnx.reference import ReferenceEvaluator

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


def resize(sizes=(2, 3, 8, 7), *, shape=SHAPE, roi=None, opset=18, **attributes):
    attributes = {"mode": "linear"} | attributes
    nodes = [node("Resize", "x", "" if roi is None else "roi", "", "sizes", "y", **attributes)]
    constants = {"sizes": np.array(sizes)} | ({} if roi is None else {"roi": np.array(roi, np.float32)})
    return model(nodes, shape, constants, opset=opset)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("how", ["half_pixel", "pytorch_half_pixel", "asymmetric", "align_corners"])
@pytest.mark.parametrize(
    ("sizes", "products"), [((2, 3, 10, 14), 2), ((2, 3, 3, 7), 1), ((2, 3, 5, 16), 1), ((2, 3, 1, 1), 2)]
)
def test_a_product_for_each_axis_that_changes(sizes, products, how, mode):
    before = resize(sizes, mode=mode, coordinate_transformation_mode=how)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["MatMul"] * products
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_older_opsets():
    scales = np.array([1, 1, 2, 1.5], np.float32)
    for before in (
        model([node("Upsample", "x", "y", mode="linear", scales=scales.tolist())], SHAPE, opset=7),
        model([node("Upsample", "x", "s", "y", mode="linear")], SHAPE, {"s": scales}, opset=9),
        model([node("Resize", "x", "s", "y", mode="linear")], SHAPE, {"s": scales}, opset=10),
    ):
        lowered = lower(before, TARGET)
        assert ops(lowered.model) == ["MatMul"] * 2
        assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("sizes", "attributes"),
    [
        ((2, 3, 8, 4), {"mode": "cubic", "exclude_outside": 1, "cubic_coeff_a": -0.5}),
        ((2, 3, 3, 4), {"mode": "cubic", "antialias": 1}),
        ((2, 3, 2, 9), {"mode": "linear", "antialias": 1}),
        ((2, 3, 2, 9), {"coordinate_transformation_mode": "half_pixel_symmetric"}),
        ((8, 9), {"axes": [3, 2]}),
        ((8, 9), {"axes": [2, 3], "keep_aspect_ratio_policy": "not_larger"}),
        ((2, 3), {"axes": [3, 2], "keep_aspect_ratio_policy": "not_smaller"}),
    ],
)
def test_every_attribute(sizes, attributes):
    before = resize(sizes, opset=19, **attributes)
    lowered = lower(before, TARGET)
    assert set(ops(lowered.model)) == {"MatMul"}
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("mode", ["linear", "cubic"])
@pytest.mark.parametrize("value", [0.0, 10.0])
def test_a_part_of_the_image_and_what_is_beyond_it(mode, value):
    attributes = {"mode": mode, "coordinate_transformation_mode": "tf_crop_and_resize", "extrapolation_value": value}
    constants = {"roi": np.array([0.25, -0.5, 1.5, 0.6], np.float32), "sizes": np.array([4, 9])}
    before = model([node("Resize", "x", "roi", "", "sizes", "y", axes=[2, 3], **attributes)], SHAPE, constants)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["MatMul", "MatMul", *["Add"] * bool(value)]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("shape", "sizes"), [((7,), (10,)), ((3, 5, 4), (6, 5, 4)), ((1, 2, 3, 4, 5), (1, 2, 5, 3, 7))]
)
def test_axes_before_the_last_two(shape, sizes):
    before = resize(sizes, shape=shape)
    lowered = lower(before, TARGET)
    x = values(*shape)
    np.testing.assert_allclose(run(lowered.model, x), reference(before, x), rtol=1e-5, atol=1e-5)


def reference(before, x):
    """Return the output by onnx's reference: ONNX Runtime interpolates images only."""
    return ReferenceEvaluator(before).run(None, {"x": x})[0]


CROP = {"coordinate_transformation_mode": "tf_crop_and_resize"}


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (resize(**CROP), "has no input 1"),
        (resize(roi=(0, 0, 0.2, 0.2, 1, 1, 1, 0.8), **CROP), "does not crop an axis of 7"),
        (resize((2, 3, 5, 8), roi=(0, 0, 0, 0.3, 1, 1, 1, 1), **CROP), "rounding decides"),
        (resize(shape=(2, 3, 5, "w")), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "resize-matmul", reason)
