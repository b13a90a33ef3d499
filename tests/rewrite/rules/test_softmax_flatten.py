from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, ROUNDING, assert_same, model, node, ops, run, values

WEBGPU = targets.load("ort-web/webgpu")


def softmax(shape, axis, opset=11):
    return model([node("Softmax", "x", "y", axis=axis)], shape, {}, opset=opset)


@pytest.mark.browser
@pytest.mark.parametrize(
    ("shape", "axis", "opset"),
    [((1, 1000, 1, 1), 1, 7), ((1, 1000, 1, 1), 1, 11), ((2, 3), 0, 11), ((2, 3, 4, 3), -3, 11), ((2, 2, 3), 1, 7)],
)
def test_rows_of_several_axes_are_rows_of_a_matrix(shape, axis, opset):
    before = softmax(shape, axis, opset)
    assert not targets.check(before, WEBGPU)
    lowered = lower(before, WEBGPU)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == ["Reshape", "Softmax", "Reshape"]
    x = values(*shape)
    assert_same(before, lowered.model, x, EXACT)
    with open_runner(lowered.model, WEBGPU) as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], run(before, x), atol=100 * ROUNDING)


@pytest.mark.parametrize(("shape", "axis", "opset"), [((2, 8), 1, 11), ((2, 3, 4), 1, 11), ((1, 1000, 1, 1), 1, 13)])
def test_a_softmax_that_is_right_is_left_alone(shape, axis, opset):
    assert ops(lower(softmax(shape, axis, opset), WEBGPU).model) == ["Softmax"]
