import numpy as np
import pytest
from onnx import helper
from onnx.reference import ReferenceEvaluator

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
BODIES = {
    "HardSwish": (14, ["Mul", "Add", "Clip", "Mul"]),
    "Mish": (18, ["Abs", "Neg", "Exp", "Add", "Log", "Relu", "Add", "Tanh", "Mul"]),
    "Swish": (24, ["Mul", "Sigmoid", "Mul"]),
}


@pytest.mark.parametrize("op", ["HardSwish", "Mish"])
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


@pytest.mark.parametrize(("opset", "reduction"), [(12, "none"), (13, "sum"), (22, "mean")])
@pytest.mark.parametrize("ignore", [{}, {"ignore_index": 2}, {"ignore_index": -5}])
@pytest.mark.parametrize("op", ["SoftmaxCrossEntropyLoss", "NegativeLogLikelihoodLoss"])
def test_losses_of_constant_labels(op, ignore, reduction, opset):
    labels = np.array([[0, 3, 2], [2, ignore.get("ignore_index", 1), 1]])
    constants = {"labels": labels, "weights": np.array([0.5, 1, 2, 3], np.float32)}
    before = model(
        [node(op, "x", "labels", "weights", "y", reduction=reduction, **ignore)], (2, 4, 3), constants, opset=opset
    )
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(2, 4, 3), ROUNDING)


def attention(*outputs, inputs=("x", "x", "x", "mask"), **attributes):
    mask = np.zeros((3, 3), np.float32)
    mask[0], mask[1, 2] = -np.inf, -1
    nodes = [helper.make_node("Attention", list(inputs), list(outputs), name="node_y", **attributes)]
    return model(nodes, (2, 4, 3, 5), {"mask": mask, "past": values(2, 4, 2, 5)}, opset=23)


@pytest.mark.parametrize("attributes", [{"softcap": 2.0}, {"is_causal": 1}, {"scale": 0.3}])
def test_attention_with_a_row_of_the_mask_that_hides_all(attributes):
    before = attention("y", **attributes)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    x = values(2, 4, 3, 5)
    np.testing.assert_allclose(run(lowered.model, x), evaluated(before, x), rtol=0, atol=1e-5)


def test_outputs_after_the_first_are_written_too():
    nodes = [
        helper.make_node("Attention", ["x", "x", "x", "", "past", "past"], ["a", "key", "value"]),
        helper.make_node("Concat", ["a", "key", "value"], ["y"], axis=2),
    ]
    before = model(nodes, (2, 4, 3, 5), {"past": values(2, 4, 2, 5)}, opset=23)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    x = values(2, 4, 3, 5)
    np.testing.assert_allclose(run(lowered.model, x), evaluated(before, x), rtol=0, atol=1e-4)


def test_attributes_that_are_left_out_have_their_defaults():
    before = model([node("SwiGLU", "x", "x", "y")], (2, 3, 8), opset=28)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()


def evaluated(proto, x):
    """Return the output by onnx's reference, which has this Attention; ONNX Runtime's differs in rows that hide all."""
    return ReferenceEvaluator(proto).run(None, {"x": x})[0]


def test_a_target_that_has_it_keeps_it():
    before = model([node("HardSwish", "x", "y")], SHAPE, opset=14)
    assert ops(lower(before, targets.load("ort/cpu")).model) == ["HardSwish"]


@pytest.mark.parametrize("rule", ["linear", "gated_delta"])
def test_linear_attention_is_unrolled(rule):
    shape, constants = (2, 4, 12), {"v": values(2, 4, 6)}
    inputs = ["x", "x", "v"]
    if rule == "gated_delta":
        constants |= {"decay": -np.abs(values(2, 4, 12)), "beta": values(2, 4, 3)}
        inputs += ["", "decay", "beta"]
    attributes = {"kv_num_heads": 3, "q_num_heads": 3, "update_rule": rule}
    nodes = [helper.make_node("LinearAttention", inputs, ["y", "state"], name="node", **attributes)]
    before = model(nodes, shape, constants, opset=27)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert not {"LinearAttention", "Scan"} & set(ops(lowered.model))
    x = values(*shape) / 4
    expected = ReferenceEvaluator(before).run(None, {"x": x})[0]
    np.testing.assert_allclose(run(lowered.model, x), expected, rtol=0, atol=ROUNDING * np.abs(expected).max())
