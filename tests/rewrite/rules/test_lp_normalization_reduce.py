import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, run, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


SHAPE = (2, 3, 5, 7)


def lp_normalization(shape=SHAPE, **attributes):
    return model([node("LpNormalization", "x", "y", **attributes)], shape, opset=7)


@pytest.mark.parametrize("p", [1, 2])
@pytest.mark.parametrize("axis", [-1, 0, 2])
def test_values_divided_by_their_norm(axis, p):
    before = lp_normalization(axis=axis, p=p)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("p", [1, 2])
def test_zeros_stay_0_and_far_values_are_normalized(p):
    lowered = lower(lp_normalization((4, 2), p=p), TARGET)
    x = np.array([[0, 0], [3e-17, 4e-17], [3e17, -4e17], [0, -2]], np.float32)
    norms = np.abs(x.astype(np.float64)) if p == 1 else x.astype(np.float64) ** 2
    norm = norms.sum(1, keepdims=True) ** (1 / p)
    expected = np.divide(x, norm, out=np.zeros_like(x, np.float64), where=norm > 0)
    np.testing.assert_allclose(run(lowered.model, x), expected, rtol=1e-6)


def test_numbers_without_a_square_in_float32_become_0():
    before, x = lp_normalization((2, 2)), np.float32([[1e-30, 0], [-2e-25, 1e-38]])
    np.testing.assert_allclose(run(lower(before, TARGET).model, x), run(before, x), atol=1e-20)


@pytest.mark.parametrize("name", ["opencv/cpu", pytest.param("onnxjs-0.1.3/webgl", marks=pytest.mark.browser)])
def test_far_values_are_normalized_in_the_engine(name):
    """OpenCV's Relu of minus infinity is no number."""
    before, x = lp_normalization((2, 4)), np.float32([[3e18, 0, -4e18, 0], [0, 0, 0, 0]])
    with open_runner(lower(before, targets.load(name)).model, name) as runner:
        actual = runner.infer({"x": x})["y"]
    np.testing.assert_allclose(actual, [[0.6, 0, -0.8, 0], [0, 0, 0, 0]], atol=1e-6)


def test_refusals():
    assert_refused(lp_normalization(p=3), TARGET, "lp-normalization-reduce", "1 or 2 is needed")
