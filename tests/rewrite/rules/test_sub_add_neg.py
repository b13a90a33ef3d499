import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node, ops, values

OPENCV = targets.load("opencv/cpu")


@pytest.mark.parametrize(("opset", "axis"), [(13, 1), (13, -1), (18, 2)])
def test_log_softmax_of_values_far_apart_is_right_in_opencv(opset, axis):
    x = 1e7 * values(1, 3, 5, 7)
    lowered = lower(model([node("LogSoftmax", "x", "y", axis=axis)], x.shape, opset=opset), OPENCV)
    assert lowered, lowered.refused.to_string()
    assert "sub-add-neg" in set(lowered.applied.rule)
    shifted = x.astype(np.float64) - x.max(axis, keepdims=True)
    expected = shifted - np.log(np.exp(shifted).sum(axis, keepdims=True))
    with open_runner(lowered.model, OPENCV) as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], expected, rtol=1e-6, atol=1e-6)


def test_any_other_difference_stays():
    before = model([node("Sub", "x", "c", "y")], (1, 3, 5, 7), {"c": values(1, 3, 1, 1)}, opset=13)
    assert ops(lower(before, OPENCV).model) == ops(before)
