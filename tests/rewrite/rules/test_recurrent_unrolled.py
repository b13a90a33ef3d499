import numpy as np
import onnx
import pytest
from onnx import helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
STEPS, BATCH, INPUTS, HIDDEN = SHAPE = 5, 3, 4, 2
GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


def recurrent(op, *, steps=STEPS, d=1, inputs=("x", "w", "r", "b"), output=0, opset=14, **attributes):
    """Return a model whose output y is the one at this index; b, h, c, p and lengths are constants."""
    rows = GATES[op] * HIDDEN
    constants = {
        "w": values(d, rows, INPUTS), "r": values(d, rows, HIDDEN) / 4, "b": values(d, 2 * rows),
        "lengths": np.array([2, steps, 1][:BATCH], np.int32), "h": values(d, BATCH, HIDDEN),
        "c": values(d, BATCH, HIDDEN), "p": values(d, 3 * HIDDEN),
    }  # fmt: skip
    outputs = [""] * output + ["y"]
    node = helper.make_node(op, list(inputs), outputs, hidden_size=HIDDEN, **attributes)
    kept = {name: array for name, array in constants.items() if name in inputs}
    return model([node], (steps, BATCH, INPUTS), kept, opset=opset)


ALL = ("x", "w", "r", "b", "lengths", "h", "c", "p")


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.3/cpu"])
@pytest.mark.parametrize(
    "before",
    [
        recurrent("LSTM", d=2, inputs=ALL, direction="bidirectional", clip=1.5),
        recurrent("LSTM", inputs=ALL[:4], direction="reverse", input_forget=1, output=2),
        recurrent("GRU", d=2, inputs=ALL[:6], direction="bidirectional", linear_before_reset=1),
        recurrent("GRU", inputs=ALL[:3], output=1),
        recurrent("RNN", inputs=ALL[:4], activations=["ScaledTanh"], activation_alpha=[1.2], activation_beta=[0.6]),
    ],
    ids=["lstm with all", "lstm cell", "gru with all", "gru state", "rnn"],
)
def test_each_op_in_the_engine(before, target):
    lowered = lower(before, targets.load(target))
    assert lowered
    x = values(STEPS, BATCH, INPUTS)
    expected = run(before, x)
    with open_runner(lowered.model, target) as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], expected, rtol=0, atol=1e-5 * np.abs(expected).max())


def test_weights_put_together_of_large_parts_are_constants():
    gates = [values(32, 40) / 8 for _ in range(4)]
    nodes = [
        helper.make_node("Concat", ["g0", "g1", "g2", "g3"], ["w2"], axis=0),
        helper.make_node("Unsqueeze", ["w2", "axes"], ["w"]),
        helper.make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=32),
    ]
    constants = {f"g{i}": gate for i, gate in enumerate(gates)} | {"axes": np.array([0]), "r": values(1, 128, 32) / 8}
    before, x = model(nodes, (2, 1, 40), constants, opset=13), values(2, 1, 40)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, x, ROUNDING)


def test_one_product_serves_all_steps():
    lowered = lower(recurrent("RNN"), TARGET)
    assert (
        ops(lowered.model).count("MatMul") == STEPS
    )  # one for all inputs; the first step's product with zeros is folded
    assert ops(lowered.model).count("Tanh") == STEPS


@pytest.mark.parametrize("op", sorted(GATES))
@pytest.mark.parametrize("output", [0, 1])
def test_the_batch_may_come_first(op, output):
    """ONNX Runtime has no layout 1, so that the same weights with layout 0 give the expected values."""
    by_step = recurrent(op, output=output, direction="bidirectional", d=2, opset=22)
    by_image = onnx.ModelProto.FromString(by_step.SerializeToString())
    by_image.graph.node[0].attribute.append(helper.make_attribute("layout", 1))
    for value, axes in ((by_image.graph.input[0], (1, 0, 2)), (by_image.graph.output[0], ())):
        dims = [d.dim_value for d in value.type.tensor_type.shape.dim]
        value.CopyFrom(helper.make_tensor_value_info(value.name, 1, [dims[a] for a in axes] or None))
    lowered = lower(by_image, TARGET)
    assert lowered
    x = values(STEPS, BATCH, INPUTS)
    expected = run(by_step, x).transpose([2, 0, 1, 3] if output == 0 else [1, 0, 2])
    np.testing.assert_allclose(run(lowered.model, x.transpose(1, 0, 2)), expected, rtol=0, atol=1e-5)


def test_a_computed_initial_state():
    before = recurrent("GRU", inputs=("x", "w", "r", "", "", "first"))
    state = helper.make_node("ReduceMean", ["x"], ["mean"], axes=[0, 2], keepdims=1)
    zeros = helper.make_node("Expand", ["mean", "size"], ["first"])
    nodes = [state, zeros, *before.graph.node]
    constants = {tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in before.graph.initializer}
    before = model(nodes, SHAPE[:3], constants | {"size": np.array([1, BATCH, HIDDEN])}, opset=14)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(STEPS, BATCH, INPUTS), 5 * ROUNDING)


def computed_weights():
    nodes = [
        helper.make_node("Gemm", ["x", "x"], ["g"], transA=1),
        helper.make_node("Unsqueeze", ["g", "first"], ["r"]),
        helper.make_node("Unsqueeze", ["x", "first"], ["sequence"]),
        helper.make_node("RNN", ["sequence", "w", "r"], ["y"], hidden_size=2),
    ]
    return model(nodes, (3, 2), {"first": np.array([0]), "w": values(1, 2, 2)})


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (recurrent("GRU", steps=600), "600 steps would be written one by one, at most 512"),
        (recurrent("RNN", activations=["Affine"]), "affine is stated without alpha and beta"),
        (recurrent("RNN", activations=["Gelu"]), "the activation gelu is not supported"),
        (computed_weights(), "r is computed"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "recurrent-unrolled", reason)
