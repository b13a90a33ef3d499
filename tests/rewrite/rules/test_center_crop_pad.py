import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


def center_crop_pad(sizes, shape=(2, 3, 5, 8), **attributes):
    return model([node("CenterCropPad", "x", "s", "y", **attributes)], shape, {"s": np.array(sizes)})


@pytest.mark.parametrize(
    ("sizes", "attributes", "expected"),
    [
        ((2, 3, 4, 3), {}, ["Slice"]),
        ((2, 3, 8, 9), {}, ["Concat", "Concat"]),
        ((1, 6, 4, 8), {}, ["Slice", "Concat"]),
        ((3, 8), {"axes": [-1, 2]}, ["Slice", "Concat"]),
        ((2, 3, 5, 8), {}, ["Identity"]),
    ],
)
def test_what_is_cut_and_what_is_added(sizes, attributes, expected):
    before = center_crop_pad(sizes, **attributes)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(2, 3, 5, 8), EXACT)


def test_refusals():
    assert_refused(center_crop_pad((2, 3, 4, 4), shape=(2, 3, "h", 8)), TARGET, "center-crop-pad", "--shape")
    computed = model([node("Shape", "x", "s"), node("CenterCropPad", "x", "s", "y")], ("n", 3))
    assert_refused(computed, TARGET, "center-crop-pad", "--shape")
