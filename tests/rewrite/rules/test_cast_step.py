import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
SHAPE = (2, 3, 5, 7)
FLOAT, INT32, BOOL = 1, 6, 9
FAR = np.array([0.0, -0.0, 1e-38, 1.0, -1.0, 3e38, -3e38], np.float32)


def compared(op, constant, *, shape=SHAPE, to=FLOAT, opset=18):
    return model([node(op, "x", "c", "b"), node("Cast", "b", "y", to=to)], shape, {"c": constant}, opset=opset)


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
@pytest.mark.parametrize("opset", [12, 22])
def test_each_comparison(op, opset):
    before = compared(op, np.float32([[0.5], [1.25], [-2], [0], [1]]), opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert op not in ops(lowered.model)
    assert_same(before, lowered.model, np.round(values(*SHAPE) * 4) / 4, EXACT)


@pytest.mark.parametrize("op", ["Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual"])
def test_far_numbers(op):
    before = compared(op, FAR, shape=(FAR.size, 1))
    x = FAR.reshape(-1, 1)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


def test_numbers_as_booleans():
    before = model([node("Cast", "x", "b", to=BOOL), node("Cast", "b", "y", to=FLOAT)], SHAPE)
    x = np.round(values(*SHAPE))
    assert_same(before, lower(before, TARGET).model, x, EXACT)


def test_infinities():
    before = model([node("IsInf", "x", "b"), node("Cast", "b", "y", to=FLOAT)], (9,))
    x = np.append(FAR, np.float32([np.inf, -np.inf]))
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


def test_refusals():
    before = compared("Less", np.zeros(1, np.float32), to=INT32)
    before.graph.output[0].type.tensor_type.elem_type = INT32
    assert_refused(before, TARGET, "cast-step", "float32 is needed")
