import numpy as np
import pytest

from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, preferring, values

TARGET = preferring("onnxjs-0.1.8/cpu", "add-sum")
SHAPE = (2, 3, 5, 7)


def add(b):
    return model([node("Add", "x", "b", "y")], SHAPE, {"b": b})


def test_equal_to_the_add():
    before = add(values(*SHAPE))
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == ["Sum"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(("b", "reason"), [(values(3, 1, 1), "different shapes")])
def test_refusals(b, reason):
    assert_refused(add(b), TARGET, "add-sum", reason)


def test_integers_are_refused():
    nodes = [node("Cast", "x", "n", to=7), node("Add", "n", "b", "m"), node("Cast", "m", "y", to=1)]
    before = model(nodes, SHAPE, {"b": np.ones(SHAPE, np.int64)})
    assert_refused(before, preferring("ort/cpu", "add-sum"), "add-sum", "n is int64; this rule takes")
