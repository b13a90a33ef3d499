import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGETS = ("onnxjs-0.1.8/webgl", "ort-web/webgl")
SHAPE = (2, 3, 5, 7)


def clip(low, high, opset=13):
    if opset < 11:
        return model([node("Clip", "x", "y", min=low, max=high)], SHAPE, opset=opset)
    limits = {"low": np.float32(low), "high": np.float32(high)}
    return model([node("Clip", "x", *limits, "y")], SHAPE, limits, opset=opset)


@pytest.mark.browser
@pytest.mark.parametrize("opset", [7, 13])
@pytest.mark.parametrize(("low", "high"), [(-np.inf, 0.5), (-0.5, np.inf), (-np.inf, np.inf)])
@pytest.mark.parametrize("name", TARGETS)
def test_an_infinite_limit_becomes_the_largest_number(name, low, high, opset):
    before, target, x = clip(low, high, opset), targets.load(name), values(*SHAPE)
    lowered = lower(before, target)
    assert lowered and ops(lowered.model) == ["Clip"] and "clip-finite" in list(lowered.applied.rule)
    assert_same(before, lowered.model, x, EXACT)
    with open_runner(lowered.model, target) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], x.clip(low, high))


def test_a_limit_that_is_nan_is_refused():
    assert_refused(clip(np.nan, 1.0), targets.load(TARGETS[0]), "clip-finite", "NaN", alone=True)
