import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
BODIES = {
    "HardSwish": (14, ["Mul", "Add", "Clip", "Mul"]),
    "Mish": (18, ["Abs", "Neg", "Exp", "Add", "Log", "Relu", "Add", "Tanh", "Mul"]),
    "Celu": (12, ["Div", "Elu", "Mul"]),
    "Swish": (24, ["Mul", "Sigmoid", "Mul"]),
}


@pytest.mark.parametrize("op", ["HardSwish", "Mish", "Celu"])
def test_what_onnx_defines_as_a_function_is_written_out(op):
    opset, expected = BODIES[op]
    before = model([node(op, "x", "y")], SHAPE, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered.applied.rule[0] == "function-body"
    assert sorted(ops(lowered.model)) == sorted(expected)
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


@pytest.mark.parametrize("approximate", ["none", "tanh"])
def test_gelu_with_and_without_tanh(approximate):
    before = model([node("Gelu", "x", "y", approximate=approximate)], SHAPE, opset=20)
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), ROUNDING)


def test_rms_normalization_folds_what_it_computes_of_shapes():
    before = model([node("RMSNormalization", "x", "g", "y")], SHAPE, {"g": values(7)}, opset=23)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert not {"Shape", "Cast", "Range"} & set(ops(lowered.model))
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_a_target_that_has_it_keeps_it():
    before = model([node("HardSwish", "x", "y")], SHAPE, opset=14)
    assert ops(lower(before, targets.load("ort/cpu")).model) == ["HardSwish"]
