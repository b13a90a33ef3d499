import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


SHAPE = (2, 3, 5, 7)


def mean_variance(shape=SHAPE, opset=13, **attributes):
    return model([node("MeanVarianceNormalization", "x", "y", **attributes)], shape, opset=opset)


@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize("attributes", [{}, {"axes": [0, 1, 2, 3]}])
def test_two_passes(attributes, opset):
    before = mean_variance(opset=opset, **attributes)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_a_size_that_is_not_fixed_is_refused():
    assert_refused(mean_variance((2, 3, "h", 7)), TARGET, "mean-variance-reduce", "--shape")


def test_an_empty_batch_is_refused():
    assert_refused(mean_variance((0, 3, 5, 7)), TARGET, "mean-variance-reduce", "no elements")
