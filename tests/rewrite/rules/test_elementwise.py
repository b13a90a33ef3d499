import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
OLDEST = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)
OPS = {
    "HardSigmoid": ["Mul", "Add", "Clip"],
    "Softplus": ["Abs", "Neg", "Exp", "Add", "Log", "Relu", "Add"],
    "Selu": ["Elu", "Mul"],
    "Softsign": ["Abs", "Add", "Div"],
    "Reciprocal": ["Div"],
}


@pytest.mark.parametrize("opset", [7, 18, 22])
@pytest.mark.parametrize("op", OPS)
def test_each_formula(op, opset):
    before = model([node(op, "x", "y")], SHAPE, opset=opset)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == OPS[op]
    assert_same(before, lowered.model, values(*SHAPE) + 0.01, ROUNDING)


@pytest.mark.parametrize("op", ["Elu", "Selu", "HardSigmoid"])
def test_the_oldest_version_has_neither_elu_nor_clip(op):
    before = model([node(op, "x", "y", alpha=0.7)], SHAPE)
    lowered = lower(before, OLDEST)
    assert lowered
    assert not {"Elu", "Clip"} & set(ops(lowered.model))
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_softplus_of_large_numbers_is_finite():
    before = model([node("Softplus", "x", "y")], SHAPE)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE) * 100, ROUNDING)


def test_a_value_without_axes_gets_none():
    nodes = [node("ReduceMax", "x", "m", keepdims=0), node("HardSigmoid", "m", "y")]
    before = model(nodes, SHAPE)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


def test_mean_of_unlike_shapes():
    before = model([node("Mean", "x", "b", "y")], SHAPE, {"b": values(7)})
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Add", "Mul"]
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("alpha", [0.7, -0.3])
@pytest.mark.parametrize("shape", [SHAPE, ()])
def test_celu_with_either_sign_of_alpha_and_of_a_scalar(shape, alpha):
    before = model([node("Celu", "x", "y", alpha=alpha)], shape, opset=12)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    for sign in (1, -1):
        x = np.asarray(sign * np.abs(values(*shape)), np.float32)
        np.testing.assert_allclose(run(lowered.model, x), run(before, x), rtol=1e-5, atol=1e-6)


def test_celu_with_an_alpha_of_0_is_refused():
    assert_refused(model([node("Celu", "x", "y", alpha=0.0)], SHAPE, opset=12), TARGET, "elementwise", "alpha is 0")
