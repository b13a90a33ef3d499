import numpy as np
import pytest

from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, preferring, values

TARGET = preferring("onnxjs-0.1.8/webgl", "pad-concat")
SHAPE = (2, 3, 5, 7)


def pad(pads, mode, shape=SHAPE):
    return model([node("Pad", "x", "pads", "y", mode=mode)], shape, {"pads": np.array(pads)})


@pytest.mark.parametrize("mode", ["reflect", "edge"])
@pytest.mark.parametrize(
    ("pads", "written"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 1], ["Gather", "Gather", "Concat"] * 2),
        ([0, 0, 4, 3, 0, 0, 2, 6], ["Gather", "Gather", "Concat"] * 2),
        ([0, 0, 0, 2, 0, 0, 0, 0], ["Gather", "Concat"]),
        ([1, 0, 0, 0, 1, 2, 0, 1], ["Gather", "Gather", "Concat", "Gather", "Concat", "Gather", "Concat"]),
    ],
)
def test_borders_around_equal_the_pad(mode, pads, written):
    before = pad(pads, mode)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == written
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (pad([0, 0, 1, 1, 0, 0, 1, 1], "constant"), "mode constant"),
        (pad([0, 0, -1, 2, 0, 0, 1, 1], "edge"), "a negative one cuts off"),
        (pad([0, 0, 5, 1, 0, 0, 1, 1], "reflect"), "needs more than"),
        (pad([0, 0, 1, 1, 0, 0, 1, 1], "reflect", shape=(1, 3, "h", 7)), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "pad-concat", reason)
