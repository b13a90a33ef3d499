import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
SHAPE = (2, 7, 5, 3)


def lrn(*, shape=SHAPE, size=3, **attributes):
    return model([node("LRN", "x", "y", size=size, **attributes)], shape)


@pytest.mark.parametrize("size", [1, 3, 5, 9])
def test_the_neighbours_are_summed_by_a_conv(size):
    before = lrn(size=size, alpha=0.7, beta=0.6, bias=1.3)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Mul", "Conv", "Log", "Mul", "Exp", "Mul"]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_where_the_engine_is_right_it_stays():
    assert ops(lower(lrn(shape=(1, 7, 5, 3)), targets.load("onnxjs-0.1.8/cpu")).model) == ["LRN"]
    assert "LRN" not in ops(lower(lrn(), targets.load("onnxjs-0.1.8/cpu")).model)


@pytest.mark.parametrize(
    ("before", "reason"),
    [(lrn(bias=-1.0), "not above 0"), (lrn(shape=(2, "c", 5, 3)), "--shape"), (lrn(shape=(2, 7, "l")), "(N, C, H, W)")],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "lrn-conv", reason)
