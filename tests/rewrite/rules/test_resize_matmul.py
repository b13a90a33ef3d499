import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


def resize(sizes=(2, 3, 8, 7), *, shape=SHAPE, **attributes):
    attributes = {"mode": "linear"} | attributes
    nodes = [node("Resize", "x", "", "", "sizes", "y", **attributes)]
    return model(nodes, shape, {"sizes": np.array(sizes)})


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
    ("before", "reason"),
    [
        (resize(antialias=1), "antialias"),
        (resize((2, 6, 8, 7)), "last two"),
        (resize(mode="cubic", exclude_outside=1), "exclude_outside"),
        (resize(keep_aspect_ratio_policy="not_larger"), "keep_aspect_ratio_policy"),
        (resize(coordinate_transformation_mode="tf_crop_and_resize"), "tf_crop_and_resize"),
        (resize(shape=(2, 3, 5, "w")), "--shape"),
    ],
)
def test_refusals(before, reason):
    refused = lower(before, TARGET).refused
    row = refused[refused.rule == "resize-matmul"].iloc[0]
    assert row.node == "node_y"
    assert reason in row.reason
