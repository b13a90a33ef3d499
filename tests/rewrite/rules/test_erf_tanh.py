import numpy as np
import pytest

from fns_lab import targets
from fns_lab.models import RULE_PREFIX
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


def test_erf_becomes_one_tanh_of_a_polynomial():
    before = model([node("Erf", "x", "y")], SHAPE)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Clip", "Mul", *["Mul", "Add"] * 6, "Mul", "Tanh"]
    assert all(n.doc_string == RULE_PREFIX + "erf-tanh" for n in lowered.model.graph.node)
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize(("start", "stop"), [(-1e-3, 1e-3), (-1, 1), (-6, 6), (-1e30, 1e30)])
def test_it_is_erf_near_and_far(start, stop):
    x = np.linspace(start, stop, 1001, dtype=np.float32)
    before = model([node("Erf", "x", "y")], x.shape)
    assert_same(before, lower(before, TARGET).model, x, 3e-7)


def test_gelu_is_lowered_through_it():
    before = model([node("Gelu", "x", "y")], SHAPE, opset=20)
    lowered = lower(before, TARGET)
    assert list(lowered.applied.rule[:2]) == ["function-body", "erf-tanh"]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)
