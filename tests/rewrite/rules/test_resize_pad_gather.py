import numpy as np
import pytest

from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, preferring, values

TARGET = preferring("onnxjs-0.1.8/cpu", "resize-pad-gather")
SHAPE = (2, 3, 5, 7)


def upsample_pad(*, scales=(1, 1, 2, 3), pads=(0, 0, 4, 3, 0, 0, 2, 1), mode="reflect", shape=SHAPE):
    nodes = [
        node("Resize", "x", "", "scales", "up", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Pad", "up", "pads", "y", mode=mode),
    ]  # fmt: skip
    return model(nodes, shape, {"scales": np.array(scales, np.float32), "pads": np.array(pads)})


@pytest.mark.parametrize("mode", ["reflect", "edge"])
def test_one_gather_an_axis(mode):
    before = upsample_pad(mode=mode)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == ["Gather", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (upsample_pad(mode="constant"), "mode constant"),
        (upsample_pad(scales=(1, 1, 1.5, 2)), "whole numbers"),
        (upsample_pad(pads=(0, 0, 10, 1, 0, 0, 1, 1)), "needs more than"),
        (upsample_pad(shape=(1, 3, "h", "w")), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "resize-pad-gather", reason)
