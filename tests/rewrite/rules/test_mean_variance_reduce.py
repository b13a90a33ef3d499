import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


SHAPE = (2, 3, 5, 7)


def mean_variance(shape=SHAPE, opset=13, **attributes):
    return model([node("MeanVarianceNormalization", "x", "y", **attributes)], shape, opset=opset)


@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize("attributes", [{}, {"axes": [0, 1, 2, 3]}])
def test_equal_but_for_rounding(attributes, opset):
    before = mean_variance(opset=opset, **attributes)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.browser
def test_a_bright_and_flat_image_is_as_exact_as_any_other():
    """Off by 0.006 without the mean of what is left, since the engine adds the pixels up in float32."""
    x = np.random.default_rng(0).uniform(199.99, 200.01, (3, 3, 5, 7)).astype(np.float32)
    target = targets.load("onnxjs-0.1.8/webgl")
    with open_runner(lower(mean_variance(x.shape), target).model, target) as runner:
        actual = runner.infer({"x": x})["y"]
    centred = x.astype(np.float64) - x.mean((0, 2, 3), dtype=np.float64, keepdims=True)
    np.testing.assert_allclose(actual, centred / np.sqrt((centred**2).mean((0, 2, 3), keepdims=True)), atol=1e-5)


def test_a_size_that_is_not_fixed_is_refused():
    assert_refused(mean_variance((2, 3, "h", 7)), TARGET, "mean-variance-reduce", "--shape")


def test_an_empty_batch_is_refused():
    assert_refused(mean_variance((0, 3, 5, 7)), TARGET, "mean-variance-reduce", "no elements")
