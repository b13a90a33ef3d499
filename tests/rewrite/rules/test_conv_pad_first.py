import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, ROUNDING, assert_same, model, node, ops, run, values

OPENCV = targets.load("opencv/cpu")


def conv(spatial, pads, opset=18, **attributes):
    weights = {"w": values(4, 3, *[1] * len(spatial)), "b": values(4)}
    return model([node("Conv", "x", "w", "b", "y", pads=pads, **attributes)], (2, 3, *spatial), weights, opset=opset)


@pytest.mark.parametrize("opset", [7, 11, 22])
@pytest.mark.parametrize(("spatial", "pads"), [((5, 7), [1, 0, 2, 1]), ((5, 6, 7), [0, 1, 1, 1, 0, 0])])
def test_the_padding_is_a_pad(spatial, pads, opset):
    before = conv(spatial, pads, opset)
    lowered = lower(before, OPENCV)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == ["Pad", "Conv"]
    x = values(2, 3, *spatial)
    assert_same(before, lowered.model, x, EXACT)
    with open_runner(lowered.model, OPENCV) as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], run(before, x), atol=100 * ROUNDING)


@pytest.mark.parametrize("attributes", [{"strides": [2, 2]}, {"pads": [0] * 4}])
def test_a_convolution_that_is_right_is_left_alone(attributes):
    assert ops(lower(conv((5, 7), **{"pads": [1] * 4} | attributes), OPENCV).model) == ["Conv"]
