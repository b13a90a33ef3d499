import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5)


def cast(to, *nodes):
    comparison = node("Greater", "x", "one", "a")
    return model([comparison, node("Cast", "a", "c", to=to), *nodes], SHAPE, {"one": np.ones(1, np.float32)})


@pytest.mark.parametrize("to", [6, 7])
def test_to_a_whole_number(to):
    before = cast(to, node("Gather", "x", "c", "g", axis=0), node("ReduceMax", "g", "y", keepdims=0))
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_to_a_float():
    nodes = [node("Greater", "x", "one", "a"), node("Cast", "a", "y", to=1)]
    before = model(nodes, SHAPE, {"one": np.ones(1, np.float32)})
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_refusals():
    before = cast(11, node("Cast", "c", "y", to=1))
    assert_refused(before, TARGET, "cast-index", "DOUBLE")
    before = model([node("Cast", "x", "i", to=7), node("Cast", "i", "y", to=1)], SHAPE)
    assert_refused(before, TARGET, "cast-index", "not the result of a comparison")
