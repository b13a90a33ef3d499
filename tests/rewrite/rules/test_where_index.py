import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (2, 3, 5, 7)


def where(first, second, constants, shape=SHAPE, opset=18):
    nodes = [node("Less", "x", "zero", "c"), node("Where", "c", first, second, "y")]
    return model(nodes, shape, {"zero": np.zeros(1, np.float32), **constants}, opset=opset)


@pytest.mark.parametrize("opset", [9, 18])
@pytest.mark.parametrize("other", [np.array(-3.0), values(5, 7), values(2, 1, 5, 1)])
@pytest.mark.parametrize("order", [("x", "o"), ("o", "x")])
def test_a_computed_condition(order, other, opset):
    before = where(*order, {"o": other.astype(np.float32)}, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_two_constant_numbers_are_looked_up():
    before = where("o", "p", {"o": np.array(-2.0, np.float32), "p": np.array(7.0, np.float32)})
    lowered = lower(before, TARGET)
    assert "Reshape" not in ops(lowered.model)
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_what_is_not_chosen_may_be_anything():
    before = where("o", "x", {"o": np.array(0, np.float32)})
    x = values(*SHAPE)
    x[0, 0] = -np.inf
    lowered = lower(before, TARGET).model
    assert np.isfinite(run(lowered, x)).all()
    np.testing.assert_array_equal(run(lowered, x), run(before, x))


def test_refusals():
    nodes = [node("Cast", "x", "c", to=9), node("Where", "c", "x", "one", "y")]
    before = model(nodes, SHAPE, {"one": np.ones(1, np.float32)})
    assert_refused(before, TARGET, "where-index", "not the result of a comparison", alone=True)
