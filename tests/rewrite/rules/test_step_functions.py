import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import assert_refused, model, node, run, values

TARGETS = [targets.load("onnxjs-0.1.3/cpu"), targets.load("onnxjs-0.1.8/webgl")]
NEAR = np.float32([0, 0.5, 0.49999997, 0.50000006, 1, 1.5, 2.5, 3.5, 1e-45, 1e-30, 4194303.5, 8388607.5, 2**24, 3e38])
X = np.concatenate([NEAR, -NEAR])
ATTRIBUTES = {
    "Sign": {},
    "Round": {},
    "ThresholdedRelu": {"alpha": 0.5},
    "Shrink": {"lambd": 1.5, "bias": 0.25},
}


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("opset", [11, 22])
@pytest.mark.parametrize("op", ATTRIBUTES)
def test_steps_stand_where_they_should(op, opset, target):
    before = model([node(op, "x", "y", **ATTRIBUTES[op])], X.shape, opset=opset)
    lowered = lower(before, target)
    assert lowered, lowered.refused.to_string()
    np.testing.assert_array_equal(run(lowered.model, X), run(before, X))


@pytest.mark.parametrize("alpha", [-0.5, 0.0])
def test_thresholds_at_and_below_0(alpha):
    before = model([node("ThresholdedRelu", "x", "y", alpha=alpha)], ("N", 7))
    x = values(3, 7)
    np.testing.assert_array_equal(run(lower(before, TARGETS[0]).model, x), run(before, x))


def test_a_threshold_of_infinities():
    x = np.float32([-np.inf, -1, 0.5, 2, np.inf])
    before = model([node("ThresholdedRelu", "x", "y", alpha=0.0)], x.shape)
    np.testing.assert_array_equal(run(lower(before, TARGETS[0]).model, x), run(before, x))


def test_a_negative_lambd_is_refused():
    before = model([node("Shrink", "x", "y", lambd=-1.0)], (2, 3))
    assert_refused(before, TARGETS[0], "step-functions", "below 0")
