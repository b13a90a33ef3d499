"""Nodes that an engine joins with those before them, and states that it mixes up: wrong as they are, right lowered."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import numpy_helper
from onnx.reference import ReferenceEvaluator

from fns_lab import models, targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests import seeds
from tests.runtimes.graphs import FLOAT32_ERROR, graph, node, worst_error

OPENCV, OPENVINO, ORT, WEBGL = "opencv/cpu", "openvino/cpu", "ort/cpu", "ort-web/webgl"
GAUSS = seeds.generator()


def x(*shape: int) -> np.ndarray:
    return GAUSS.normal(size=shape).astype(np.float32)


def built(nodes, feeds, constants, *outputs):
    model = graph(
        nodes, feeds, constants, outputs=dict.fromkeys(outputs or ("y",)), opset=20, ir_version=9,
        initializers_are_inputs=False,
    )  # fmt: skip
    return models.infer_shapes(model), feeds


def normalized(*activation):
    constants = {"w": x(5, 4, 3, 3), "half": np.float32(0.5), "one": np.float32(1), "root": np.float32(2**0.5)}
    constants |= {name: np.abs(x(5)) for name in "gbmv"}
    nodes = [node("Conv", "x w", "c"), *activation, node("BatchNormalization", "a g b m v", "y")]
    return built(nodes, {"x": x(1, 4, 9, 7)}, constants)


def added(*shape, rows=5, columns=64):
    nodes = [node("MatMul", "x w", "p"), node("Add", "p c", "y")]
    return built(nodes, {"x": x(1, rows, 7)}, {"w": x(7, columns), "c": x(*shape)})


def recurrent(op, inputs, outputs, **attributes):
    gates, directions = {"LSTM": 4, "GRU": 3}[op], 2 if attributes.get("direction") == "bidirectional" else 1
    weights = {"w": x(directions, gates * 4, 3), "r": x(directions, gates * 4, 4)}
    states = {name: x(directions, 2, 4) for name in "hc" if name in inputs}
    states |= {"b": x(directions, 8 * gates)} if "b" in inputs else {}
    only = node(op, "x w r", "y", hidden_size=4, **attributes)
    only.input[:], only.output[:] = ["" if name == "-" else name for name in inputs.split()], outputs.split(",")
    return built([only], {"x": x(5, 2, 3)}, weights | states, *(name for name in outputs.split(",") if name))


GELU = [
    node("Div", "c root", "d"), node("Erf", "d", "e"), node("Add", "e one", "o"), node("Mul", "c o", "q"),
    node("Mul", "q half", "a"),
]  # fmt: skip


def gated(*nodes, feeds=None, outputs=("y",), **constants):
    constants = {name: np.float32(number) for name, number in constants.items()}
    return built(list(nodes), feeds or {"x": x(2, 3, 4), "z": x(2, 3, 4)}, constants, *outputs)


def gelu_of(x, one="o", half="y"):
    return [node("Div", "x root", "d"), node("Erf", "d", "e"), node("Add", one, "a"), node("Mul", f"{x} a", "m"),
            node("Mul", half, "y")]  # fmt: skip


def centred(scale, shift, power=2.0, given_out=()):
    nodes = [
        node("ReduceMean", "x", "m", axes=[-1]), node("Sub", "x m", "d"), node("Pow", "d power", "p"),
        node("ReduceMean", "p", "v", axes=[-1]), node("Add", "v eps", "e"), node("Sqrt", "e", "s"),
        node("Div", "d s", "n"), node("Mul", "n w", "g"), node("Add", "g c", "y"),
    ]  # fmt: skip
    constants = {"power": np.float32(power), "eps": np.float32(0.5), "w": x(*scale), "c": x(*shift)}
    model = graph(
        nodes, {"x": (feed := x(2, 5, 8))}, constants, outputs=dict.fromkeys(("y", *given_out)), opset=13, ir_version=7,
        initializers_are_inputs=False,
    )  # fmt: skip
    return models.infer_shapes(model), {"x": feed}


def softmax_of_parts(axis, opset=13):
    nodes = [
        node("ReduceMax", "x", "m", axes=[axis]), node("Sub", "x m", "d"), node("Exp", "d", "e"),
        node("ReduceSum", "e a", "s"), node("Div", "e s", "y"),
    ]  # fmt: skip
    model = graph(
        nodes, {"x": (feed := x(2, 5, 8))}, {"a": np.array([1])}, outputs={"y": None}, opset=opset, ir_version=7,
        initializers_are_inputs=False,
    )  # fmt: skip
    return models.infer_shapes(model), {"x": feed}


def attention(
    biased="qkv", mask=None, axis=-1, given_out=(), x_shape=(2, 5, 8), heads=(2, 5, 2, 4), whole=(2, 5, 8),
    perm=(0, 2, 1, 3), mask_nodes=(), mask_is_first=False, products="MatMul",
):  # fmt: skip
    """An attention of two heads, as exporters write it: projections with these biases, a mask at a place of its Add."""
    constants = {"heads": np.array(heads), "two": np.float32(2), "whole": np.array(whole)}
    nodes = [*mask_nodes] if mask_is_first else []
    for name in "qkv":
        constants |= {f"w{name}": x(8, 8), f"b{name}": x(8)}
        projected = [node("MatMul", f"x w{name}", f"{name}0"), node("Add", f"{name}0 b{name}", f"{name}1")]
        if products == "Gemm":
            projected = [node("Gemm", f"x w{name} b{name}", f"{name}0")]
        nodes += projected[: 1 + (name in biased)]
        nodes.append(node("Reshape", f"{nodes[-1].output[0]} heads", f"{name}2"))
        nodes.append(node("Transpose", f"{name}2", name, perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]))
    nodes += [node("MatMul", "q k", "product"), node("Div", "product two", "scores")]
    if not mask_is_first:
        nodes += mask_nodes
    if mask is not None:
        nodes.append(node("Add", "m scores" if mask == 0 else "scores m", "masked"))
    nodes += [
        node("Softmax", nodes[-1].output[0], "p", axis=axis), node("MatMul", "p v", "o"),
        node("Transpose", "o", "t", perm=perm), node("Reshape", "t whole", "y"),
    ]  # fmt: skip
    feeds = {"x": x(*x_shape)} | ({"n" if mask_nodes else "m": x(2, 1, 1, 5)} if mask is not None else {})
    return built(nodes, feeds, constants, "y", *given_out)


def attention_of_one_product(biased=True, heads=2, whole=(2, 5, 8)):
    """An attention whose queries, keys and values are one product, and whose queries are scaled."""
    constants = {"w": x(8, 24), "b": x(24), "parts": np.array([2, 5, 3, heads, 4]), "half": np.float32(0.5)}
    constants |= {"whole": np.array(whole)} | {f"i{n}": np.array(n) for n in range(3)}
    nodes = [node("MatMul", "x w", "a"), node("Add", "a b", "c")][: 1 + biased]
    nodes += [
        node("Reshape", f"{nodes[-1].output[0]} parts", "r"), node("Transpose", "r", "s", perm=[2, 0, 3, 1, 4]),
        *(node("Gather", f"s i{n}", name, axis=0) for n, name in enumerate("qkv")),
        node("Transpose", "k", "l", perm=[0, 1, 3, 2]), node("Mul", "q half", "h"), node("MatMul", "h l", "scores"),
        node("Softmax", "scores", "p", axis=-1), node("MatMul", "p v", "o"),
        node("Transpose", "o", "t", perm=[0, 2, 1, 3]), node("Reshape", "t whole", "y"),
    ]  # fmt: skip
    return built(nodes, {"x": x(2, 5, 8)}, constants)


def reshaped(*sizes, order=(0, 1)):
    nodes = [node("Reshape", "x s", "r"), node("Transpose", "r", "o", perm=order), node("Reshape", "o t", "y")]
    return built(nodes, {"x": x(2, 3, 4)}, {"s": np.array([6, 4]), "t": np.array(sizes)})


def cast(op, constant=True):
    """Twice the feed, or what another op makes of it and 2, as whole numbers, and these as floats."""
    two = [node("Constant", "", "two", value=numpy_helper.from_array(np.float32(2)))] if constant else []
    nodes = [*two, node(op, "x two", "p"), node("Cast", "p", "i", to=6), node("Cast", "i", "y", to=1)]
    return built(nodes, {"x": x(3, 5)}, {} if constant else {"two": np.float32(2)})


HARD_GATE = node("HardSigmoid", "z", "s", alpha=1 / 6, beta=0.5), node("Mul", "x s", "y")
WRONG = {
    "a gate of another value": gated(*HARD_GATE),
    "a gate of each channel": gated(*HARD_GATE, feeds={"x": x(1, 4, 5, 5), "z": x(1, 4, 1, 1)}),
    "Gelu of two values": gated(*gelu_of("z", "e one", "m half"), root=2**0.5, one=1, half=0.5),
    "Gelu, numbers first": gated(*gelu_of("x", "one e", "half m"), root=2**0.5, one=1, half=0.5, feeds={"x": x(2, 3)}),
    "Swish and its gate": gated(node("Sigmoid", "x", "s"), node("Mul", "x s", "y"), feeds={"x": x(2, 3)},
                                outputs=("y", "s")),
    "Log(2 + Exp(x))": gated(node("Exp", "x", "e"), node("Add", "two e", "a"), node("Log", "a", "y"), two=2,
                             feeds={"x": x(2, 3)}),
    "Celu": gated(node("Div", "x a", "d"), node("Elu", "d", "e"), node("Mul", "a e", "y"), a=2, feeds={"x": x(2, 3)}),
    "a scale of three axes": centred((1, 5, 8), (5, 1)),
    "a normalization and its divisor": centred((8,), (8,), given_out=("s",)),
    "Softmax of other axes": softmax_of_parts(axis=2),
    "a bias that enlarges": built([node("MatMul", "x w", "p"), node("Add", "p c", "y")], {"x": x(1, 4)},
                                  {"w": x(4, 5), "c": x(3, 5)}),
    "LayerNormalization": built([node("LayerNormalization", "x w", "y", axis=1)], {"x": x(2, 3, 4)}, {"w": x(4)}),
    "a size kept after a Reshape": reshaped(0, 2, 2),
    "a product as whole numbers": cast("Mul"),
    "attention without biases": attention(biased=""),
    "attention with two biases": attention(biased="qv"),
    "attention, mask first": attention(mask=0),
    "attention over the queries": attention(axis=2),
    "attention and its weights": attention(given_out=("p",)),
    "attention and its heads": attention(given_out=("t",)),
    "attention of one product without biases": attention_of_one_product(biased=False),
    "attention of as many heads as fit": attention(heads=(2, 5, -1, 4)),
    "attention of an image": attention(x_shape=(2, 1, 5, 8)),
    "attention of rows": attention(x_shape=(10, 8)),
    "attention of rows by Gemm": attention(x_shape=(10, 8), products="Gemm"),
    "attention within windows": attention(x_shape=(1, 10, 8), whole=(1, 10, 8)),
    "attention to rows": attention(whole=(10, 8)),
    "attention of one product to rows": attention_of_one_product(whole=(10, 8)),
    "attention to other axes": attention(perm=(2, 0, 1, 3), whole=(5, 2, 8)),
    "attention by heads": attention(perm=(0, 1, 2, 3)),
    "attention, mask computed late": attention(mask=1, mask_nodes=[node("Neg", "n", "m")]),
    **{op: normalized(node(op, "c", "a")) for op in
       ("Elu", "Gelu", "HardSigmoid", "HardSwish", "Mish", "Sigmoid", "Tanh")},
    "Swish": normalized(node("Sigmoid", "c", "s"), node("Mul", "c s", "a")),
    "Gelu of Erf": normalized(*GELU),
    "a row of three axes": added(1, 1, 64),
    "one element of three axes": added(1, 1, 1),
    "a column": added(64, 1, rows=64),
    "GRU, sequence": recurrent("GRU", "x w r", "y"),
    "LSTM, cell": recurrent("LSTM", "x w r", "y,,c1"),
    "LSTM, one state": recurrent("LSTM", "x w r b - h", "y"),
    "LSTM, no bias": recurrent("LSTM", "x w r - - h c", "y"),
    "GRU, activations": recurrent("GRU", "x w r", "y,h1", activations=["Sigmoid", "Tanh"]),
    "LSTM, activations": recurrent(
        "LSTM", "x w r", "y", direction="bidirectional", activations=["Sigmoid", "Tanh", "Tanh"] * 2
    ),
}  # fmt: skip
RIGHT = {
    "a sum as whole numbers": cast("Add"),
    "a product with an initializer as whole numbers": cast("Mul", constant=False),
    "Gelu": gated(*gelu_of("x", "e one", "m half"), root=2**0.5, one=1, half=0.5, feeds={"x": x(2, 3)}),
    "another Gelu": gated(*gelu_of("x", "e one", "m half"), root=2, one=2, half=0.25, feeds={"x": x(2, 3)}),
    "a gate of another slope": gated(node("HardSigmoid", "z", "s"), HARD_GATE[1]),
    "a soft gate": gated(node("Sigmoid", "z", "s"), node("Mul", "x s", "y")),
    "a normalization": centred((8,), (8,)),
    "Softmax of parts": softmax_of_parts(axis=1),
    **{op: normalized(node(op, "c", "a")) for op in ("Exp", "LeakyRelu", "Relu", "Selu", "Erf")},
    "sizes after a Reshape": reshaped(6, 2, 2),
    "a size kept after a Transpose": reshaped(0, 2, 3, order=(1, 0)),
    "attention": attention(),
    "masked attention": attention(mask=1),
    "attention of one product": attention_of_one_product(),
    "attention of one product of as many heads as fit": attention_of_one_product(heads=-1),
    "attention, mask computed early": attention(mask=1, mask_nodes=[node("Neg", "n", "m")], mask_is_first=True),
    "a computed bias": built([node("MatMul", "x w", "p"), node("Add", "p c", "y")], {"x": x(1, 5, 7), "c": x(1, 1, 6)},
                             {"w": x(7, 6)}),
    "a row": added(1, 64),
    "a matrix": added(5, 64),
    "a column of another size": added(5, 1),
    "GRU, both": recurrent("GRU", "x w r", "y,h1"),
    "LSTM, states": recurrent("LSTM", "x w r b - h c", ",h1,c1", activations=["Sigmoid", "Tanh", "Tanh"]),
}  # fmt: skip


def error(model, feeds, name) -> float:
    with open_runner(model, name) as runner:
        actual = runner.infer(feeds)
    with open_runner(model, ORT) as runner:
        expected = runner.infer(feeds)
    return max(worst_error(actual[value], expected[value]) for value in expected)


def is_right(model, feeds) -> bool:
    try:
        return error(model, feeds, OPENCV) < 10 * FLOAT32_ERROR
    except RuntimeFault:
        return False


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", WRONG)
def test_a_fault_is_known_to_check_and_lowering_avoids_it(name):
    model, feeds = WRONG[name]
    assert not is_right(model, feeds)
    assert not targets.check(model, targets.load(OPENCV))
    lowered = lower(model, targets.load(OPENCV))
    assert lowered, lowered.refused.to_string()
    assert is_right(lowered.model, feeds)


@pytest.mark.parametrize("name", RIGHT)
def test_nodes_beside_it_are_right_and_left_alone(name):
    model, feeds = RIGHT[name]
    assert is_right(model, feeds)
    assert targets.check(model, targets.load(OPENCV)), targets.check(model, targets.load(OPENCV)).table.to_string()


def two_convolutions(first, second=None):
    constants = {"v": x(4, 4, 3, 3), "w": x(4, 4, 3, 3)}
    nodes = [node("Conv", "x v", "c", pads=[1] * 4), node(first, "c", "a"), node("Conv", "a w", "y", pads=[1] * 4)]
    if second:
        nodes[-1].output[:] = ["d"]
        nodes.append(node(second, "d", "y"))
    return built(nodes, {"x": x(1, 4, 8, 7)}, constants)


@pytest.mark.browser
@pytest.mark.parametrize("activations", [("Relu",), ("Sigmoid",), ("Relu", "Sigmoid")])
def test_an_activation_is_not_taken_for_that_of_another_convolution(activations):
    model, feeds = two_convolutions(*activations)
    assert error(model, feeds, WEBGL) > 10 * FLOAT32_ERROR
    assert not targets.check(model, targets.load(WEBGL))
    lowered = lower(model, targets.load(WEBGL))
    assert error(lowered.model, feeds, WEBGL) < 10 * FLOAT32_ERROR


@pytest.mark.browser
@pytest.mark.parametrize("activations", [("Relu", "Relu"), ("Tanh",)])
def test_activations_that_agree_stay_joined(activations):
    model, feeds = two_convolutions(*activations)
    assert targets.check(model, targets.load(WEBGL))
    assert error(model, feeds, WEBGL) < 10 * FLOAT32_ERROR


@pytest.mark.parametrize("power", [2.0, 4.0])
def test_onnx_runtime_takes_no_power_for_a_square(power):
    model, feeds = centred((8,), (8,), power=power)
    (expected,) = ReferenceEvaluator(model).run(None, feeds)
    right = []
    for each in (model, lower(model, targets.load(ORT)).model):
        with open_runner(each, ORT) as runner:
            right.append(worst_error(runner.infer(feeds)["y"], expected) < 10 * FLOAT32_ERROR)
    assert right == [power == 2, True]
    assert bool(targets.check(model, targets.load(ORT))) == (power == 2)


@pytest.mark.parametrize(("keepdims", "right"), [(0, False), (1, True)])
def test_openvino_takes_no_sum_over_another_axis_for_a_softmax(keepdims, right):
    nodes = [node("Exp", "x", "e"), node("ReduceSum", "e a", "s", keepdims=keepdims), node("Div", "e s", "y")]
    model, feeds = built(nodes, {"x": x(5, 5)}, {"a": np.array([1])})
    assert (error(model, feeds, OPENVINO) < 10 * FLOAT32_ERROR) == right
    assert bool(targets.check(model, targets.load(OPENVINO))) == right
