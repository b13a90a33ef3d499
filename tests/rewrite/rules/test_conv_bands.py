import pytest

from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.rules import conv_bands
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, preferring, values

TARGET = preferring("ort/cpu", "conv-bands")
SHAPE = (1, 3, 14, 9)
BANDS = ["Gather", "Reshape", "Transpose", "Reshape", "Conv", "Reshape", "Transpose", "Reshape"]


@pytest.fixture(autouse=True)
def _a_small_cache(monkeypatch):
    """Three of the twelve rows of `conv()` unrolled: 3 * 27 * 7 numbers."""
    monkeypatch.setattr(conv_bands, "UNROLLED", 3 * 27 * 7)


def conv(*, shape=SHAPE, bias=True, **attributes):
    constants = {"w": values(5, 3, 3, 3)}
    if bias:
        constants["b"] = values(5)
    return model([node("Conv", "x", *constants, "y", **attributes)], shape, constants)


@pytest.mark.parametrize("bias", [True, False])
def test_equal_to_the_convolution(bias):
    before = conv(bias=bias)
    lowered = lower(before, TARGET)
    assert lowered
    assert lowered.refused.empty
    assert ops(lowered.model) == BANDS
    assert [a.i for n in lowered.model.graph.node for a in n.attribute if a.name == "group"] == [4]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (conv(shape=(2, 3, 14, 9)), "not (1, C, H, W)"),
        (conv(shape=(1, 3, 4, 9)), "the unrolled image fits"),
        (conv(shape=(1, 3, 39, 9)), "no number of bands divides"),
        (conv(pads=[1, 1, 1, 1]), "has pads [1, 1, 1, 1]"),
        (conv(strides=[2, 2]), "strides"),
        (conv(shape=(1, 3, "h", 9)), "--shape"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "conv-bands", reason)
