import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize("opset", [7, 11, 13, 18])
@pytest.mark.parametrize("axis", [None, 0, 1, 3])
def test_the_first_of_the_largest_is_1(axis, opset):
    attributes = {} if axis is None else {"axis": axis}
    before = model([node("Hardmax", "x", "y", **attributes)], SHAPE, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, np.round(values(*SHAPE)), EXACT)


def test_a_shape_that_is_not_fixed_is_refused():
    before = model([node("Hardmax", "x", "y")], (2, "C"))
    assert_refused(before, TARGET, "hardmax-gather", "not fixed")


@pytest.mark.parametrize(("opset", "shape"), [(7, (1, 17, 241)), (13, (2, 4097))])
def test_more_elements_than_a_unit_matrix_may_have_are_refused(opset, shape):
    assert_refused(model([node("Hardmax", "x", "y")], shape, opset=opset), TARGET, "hardmax-gather", "4097")
