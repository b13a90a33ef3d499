import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


def pad(pads, *, shape=SHAPE, mode="constant", **constants):
    return model([node("Pad", "x", "pads", *constants, "y", mode=mode)], shape, {"pads": np.array(pads), **constants})


@pytest.mark.parametrize(
    ("pads", "expected"),
    [
        ([0, 0, 1, 2, 0, 0, 3, 0], ["Concat", "Concat"]),
        ([0, 0, 0, 0, 1, 2, 0, 0], ["Concat", "Concat"]),
        ([0, 0, -1, 2, 0, 0, 1, -2], ["Slice", "Concat", "Slice", "Concat"]),
    ],
)
@pytest.mark.parametrize("value", [0.0, -2.5])
def test_borders_are_put_beside(pads, expected, value):
    before = pad(pads, value=np.array(value, np.float32))
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_pads_are_an_attribute_at_opset_7():
    before = model([node("Pad", "x", "y", pads=[0, 0, 1, 1, 0, 0, 1, 1], value=1.5)], SHAPE, opset=7)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Concat", "Concat"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (pad([0, 0, 1, 1, 0, 0, 1, 1], shape=(1, 3, "h", 7)), "--shape"),
        (pad([0, 0, 9, 1, 0, 0, 1, 1], mode="reflect"), "mode reflect"),
    ],
)
def test_refusals(before, reason):
    refused = lower(before, TARGET).refused
    row = refused[refused.rule == "pad-constant"].iloc[0]
    assert row.node == "node_y"
    assert reason in row.reason
