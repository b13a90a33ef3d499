"""The faults of ONNX Runtime Web on webgpu, each beside a similar node that is right, and right when lowered."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from onnx import helper, numpy_helper

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.measure.op_type_cases import CASES, spellings
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.float64 import Float64Runner
from tests.runtimes.graphs import graph, image, node, worst_error

pytestmark = pytest.mark.browser

TARGET = targets.load("ort-web/webgpu")
GPU_ERROR = 1e-3
WRONG = 0.05


def error_of(model, x, lowered=None) -> float:
    """The error of `model`, or of its lowered form, against ONNX Runtime's CPU engine in the same browser."""
    with open_runner(model, "ort-web/wasm") as runner:
        expected = runner.infer({"x": x})["y"]
    with open_runner(lowered or model, TARGET) as runner:
        return worst_error(runner.infer({"x": x})["y"], expected)


def conv(channels, filters, *kernel, group=1, size=7, **attributes):
    x = image(1, channels, *[size] * len(kernel), mean=0.0, sd=1.0)
    weights = {"w": image(filters, channels // group, *kernel, mean=0.0, sd=1.0)}
    model = graph(
        [node("Conv", "x w", "y", group=group, **attributes)], {"x": x}, weights, outputs={"y": None}, opset=18,
        ir_version=8, initializers_are_inputs=False,
    )  # fmt: skip
    return model, x


def padded_before(padding, *kernel, size):
    """A convolution after a Pad of this padding at the end of each axis, which ONNX Runtime makes one node."""
    x = image(1, 4, *[size] * len(kernel), mean=0.0, sd=1.0)
    pads = np.array([0] * (2 + len(kernel)) + [0, 0] + [padding] * len(kernel))
    nodes = [node("Pad", "x p", "q"), node("Conv", "q w", "y")]
    constants = {"p": pads, "w": image(4, 4, *kernel, mean=0.0, sd=1.0)}
    return graph(
        nodes, {"x": x}, constants, outputs={"y": None}, opset=18, ir_version=8, initializers_are_inputs=False
    ), x


FAULTY = {
    "speech": conv(129, 128, 3, size=20, pads=[1, 1]),
    "image": conv(9, 8, 3, 3),
    "strided": conv(6, 4, 1, 1, strides=[2, 2]),
    "groups of five": conv(4, 10, 3, 3, group=2),
    "groups of six": conv(4, 12, 3, group=2),
    "padding after the whole image": conv(2, 3, 7, 7, pads=[0, 0, 3, 3]),
    "padding after a whole row": conv(2, 3, 7, pads=[0, 3]),
    "padding after points": conv(4, 4, 1, 1, pads=[0, 0, 1, 1]),
    "SAME after the whole image": conv(4, 4, 2, 2, size=2, auto_pad="SAME_UPPER"),
    "a Pad before the whole image": padded_before(2, 5, 5, size=5),
    "a Pad before points": padded_before(1, 1, 1, size=5),
}
RIGHT = {
    "three channels": conv(3, 8, 3, 3),
    "twelve channels": conv(12, 8, 3, 3),
    "filters by two": conv(9, 6, 3, 3),
    "kernel of one": conv(9, 8, 1, 1),
    "groups of three": conv(4, 6, 3, 3, group=2),
    "groups of eight": conv(4, 16, 3, group=2),
    "padding around the whole image": conv(2, 3, 7, 7, pads=[3, 3, 3, 3]),
    "padding after a row": conv(2, 3, 5, pads=[0, 3]),
    "padding before points": conv(4, 4, 1, 1, pads=[1, 1, 0, 0]),
    "SAME before the whole image": conv(4, 4, 2, 2, size=2, auto_pad="SAME_LOWER"),
}


def transposed(channels, filters, group, *size):
    x = image(1, channels, *size, mean=0.0, sd=1.0)
    weights = {"w": image(channels, filters // group, *[3] * len(size), mean=0.0, sd=1.0)}
    return plain(node("ConvTranspose", "x w", "y", group=group), x, weights), x


def pool(op, shape, outputs="y", opset=21, **attributes):
    x = image(*shape)
    return plain(node(op, "x", outputs, **attributes), x, opset=opset), x


def wrapped(begin):
    x, pads = image(1, 2, 5, 7), np.array([0, 0, 0, begin, 0, 0, 0, 2])
    return plain(node("Pad", "x p", "y", mode="wrap"), x, {"p": pads}, opset=19), x


def tripled(dtype):
    """Pixels three times as large, some of which come out as nearly the next integer."""
    pixels, scales = np.arange(-12, 13, dtype=dtype).reshape(1, 1, 5, 5), {"s": np.array([1, 1, 3, 3], np.float32)}
    only = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", coordinate_transformation_mode="asymmetric")
    return typed(dtype, [only], pixels, scales), pixels


def parts(count):
    """An image cut into this many parts, of which the first is returned."""
    names = " ".join(["y", *(f"y{i}" for i in range(1, count))])
    return pool("Split", (1, count, 5, 7), names, axis=1, num_outputs=count)


def gemm(*bias):
    x = image(3, 9, mean=0.0, sd=1.0)
    return plain(node("Gemm", "x w c", "y"), x, {"w": image(9, 64), "c": image(*bias)}), x


def powers(shape, exponents):
    x = image(*shape, mean=2.0, sd=0.1)
    return plain(node("Pow", "x e", "y"), x, {"e": image(*exponents, mean=2.0, sd=0.1)}), x


def typed(dtype, nodes, x, constants=None, outputs=("y",), opset=18):
    """A model whose outputs are of this element type."""
    return graph(
        nodes, {"x": x}, constants, outputs=dict.fromkeys(outputs), opset=opset, ir_version=8,
        initializers_are_inputs=False, output_type=helper.np_dtype_to_tensor_dtype(np.dtype(dtype)),
    )  # fmt: skip


def filled(dtype):
    shape, value = np.array([3, 2]), numpy_helper.from_array(np.ones(1, dtype))
    return typed(dtype, [node("ConstantOfShape", "x", "y", value=value)], shape), shape


def first_two(dtype, size):
    """A model that takes the first two rows of a matrix of this height."""
    rows = {"i": np.array([0]), "j": np.array(1)}
    x = np.arange(size * 3).reshape(size, 3).astype(dtype)
    return typed(dtype, [node("Gather", "x i", "y"), node("Gather", "x j", "z")], x, rows, ("y", "z")), x


def resized(dtype):
    """A cubic Resize of an image of this type to twice its size."""
    x = np.arange(16).reshape(1, 1, 4, 4).astype(dtype)
    sizes = {"s": np.array([1, 1, 8, 8])}
    return typed(dtype, [helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode="cubic")], x, sizes, ("y",)), x


def sloped(dtype, opset):
    x = np.arange(-3, 3).reshape(2, 3).astype(dtype)
    return typed(dtype, [node("PRelu", "x a", "y")], x, {"a": np.full(3, 2, dtype)}, ("y",), opset), x


def peepholes(**clip):
    """An LSTM with peepholes, and its sequence."""
    x = image(3, 1, 4, mean=0.0, sd=2.0)
    weights = {"w": image(1, 20, 4, mean=0.0), "r": image(1, 20, 5, mean=0.0), "p": image(1, 15, mean=0.0)}
    only = helper.make_node("LSTM", ["x", "w", "r", "", "", "", "", "p"], ["y"], hidden_size=5, **clip)
    return plain(only, x, weights, opset=14), x


def scores(opset):
    """A Softmax over the channels of an image of one pixel, as classifiers end."""
    x = image(1, 1000, 1, 1, mean=0.0, sd=2.0)
    return plain(node("Softmax", "x", "y", axis=1), x, opset=opset), x


def plain(only, x, constants=None, opset=21):
    return graph(
        [only], {"x": x}, constants, outputs={"y": None}, opset=opset, ir_version=10, initializers_are_inputs=False
    )


def backwards(start):
    """Every second column, from this one on to the left."""
    x = image(3, 6, mean=0.0, sd=1.0)
    limits = {name: np.array([number]) for name, number in zip("seat", (start, -99, 1, -2), strict=True)}
    return plain(node("Slice", "x s e a t", "y"), x, limits), x


def enlarged(*scales):
    """An image, its rows and columns at these axes, at another size."""
    x = image(1, 6, 5, 3, mean=0.0, sd=1.0)
    resize = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear")
    return plain(resize, x, {"s": np.array(scales, np.float32)}), x


def gated(op, *activations):
    gates = {"GRU": 3, "LSTM": 4}[op]
    x = image(3, 1, 4, mean=0.0, sd=1.0)
    weights = {"w": image(1, gates * 5, 4, mean=0.0, sd=0.5), "r": image(1, gates * 5, 5, mean=0.0, sd=0.5)}
    return plain(node(op, "x w r", "y", hidden_size=5, activations=list(activations)), x, weights, opset=14), x


LAST_WINDOW = {"kernel_shape": [2, 2], "strides": [3, 3], "pads": [1, 1, 1, 1], "ceil_mode": 1}
WRONG_OR_REFUSED = {
    "grouped volumes": (conv(4, 4, 3, 3, 3, group=2), conv(4, 4, 3, 3, 3)),
    "a pool of no image": (pool("AveragePool", (0, 2, 5, 7), kernel_shape=[2, 2]), conv(3, 8, 3, 3)),
    "transposed volumes": (transposed(2, 2, 1, 4, 5, 6), transposed(2, 2, 1, 4, 5)),
    "groups of four, one filter each": (transposed(8, 2, 2, 4, 5), transposed(10, 2, 2, 4, 5)),
    "groups of six, one filter each": (transposed(12, 2, 2, 4, 5), transposed(12, 4, 2, 4, 5)),
    "indices": (
        pool("MaxPool", (1, 2, 5, 7), "y i", kernel_shape=[2, 2]), pool("MaxPool", (1, 2, 5, 7), kernel_shape=[2, 2])
    ),
    "storage order": (
        pool("MaxPool", (1, 2, 5, 7), kernel_shape=[2, 2], storage_order=1),
        pool("MaxPool", (1, 2, 5, 7), kernel_shape=[2, 2], storage_order=1, opset=22),
    ),
    "scalar bias": (gemm(), gemm(1)),
    "powers by row": (powers((3, 8), (3, 1)), powers((3, 7), (3, 1))),
    "a power of rank 2": (powers((3, 8), (1, 1)), powers((3, 8), (1,))),
    "powers by channel": (powers((1, 3, 5, 4), (3, 1, 1)), powers((1, 3, 5, 4), (3, 1, 4))),
    "a window in the padding": (
        pool("AveragePool", (1, 2, 4, 4), opset=22, **LAST_WINDOW), pool("AveragePool", (1, 2, 4, 4), **LAST_WINDOW)
    ),
    "constants of float64": (filled(np.float64), filled(np.float32)),
    "clipped peepholes": (peepholes(clip=0.5), peepholes()),
    "channels last": (enlarged(1, 2, 2, 1), enlarged(1, 1, 2, 2)),
    "backwards from within": (backwards(4), backwards(5)),
    "activations of an LSTM": (gated("LSTM", "HardSigmoid", "Tanh", "Tanh"), gated("LSTM", "Sigmoid", "Relu", "Tanh")),
    "activations of a GRU": (gated("GRU", "HardSigmoid", "Tanh"), gated("GRU", "Sigmoid", "Relu")),
    "scores of a classifier": (scores(11), scores(13)),
    "many parts": (parts(12), parts(7)),
    "wrapped and cut": (wrapped(-1), wrapped(1)),
    "nearly the next integer": (tripled(np.int32), tripled(np.float32)),
    "all rows of int16": (first_two(np.int16, 2), first_two(np.int16, 3)),
    "all rows of float64": (first_two(np.float64, 2), first_two(np.float32, 2)),
}  # fmt: skip
"""By fault: a model that is wrong or fails, and one beside it that is right; each with its input."""


def is_wrong_or_fails(model, x) -> bool:
    try:
        return error_of(model, x) > WRONG
    except RuntimeFault as fault:
        return fault.engine == TARGET.name


@pytest.mark.sampled(5)
@pytest.mark.parametrize("name", WRONG_OR_REFUSED)
def test_a_node_that_check_refuses_is_wrong_or_fails(name):
    (faulty, x), (right, beside) = WRONG_OR_REFUSED[name]
    assert is_wrong_or_fails(faulty, x)
    assert not targets.check(faulty, TARGET)
    assert targets.check(right, TARGET)
    assert error_of(right, beside) < GPU_ERROR


FAILS = {
    "cubic resizing of whole numbers": (resized(np.uint8), resized(np.float32)),
    "whole numbers in PRelu before opset 16": (sloped(np.int32, 9), sloped(np.int32, 16)),
}
"""By fault: a model that fails, in ONNX Runtime's CPU engine too, and one beside it that is right; with its input."""


@pytest.mark.parametrize("name", FAILS)
def test_a_node_that_check_refuses_fails(name):
    (faulty, x), (right, beside) = FAILS[name]
    assert not targets.check(faulty, TARGET)
    with pytest.raises(RuntimeFault), open_runner(faulty, TARGET) as runner:
        runner.infer({"x": x})
    assert targets.check(right, TARGET)
    assert error_of(right, beside) < GPU_ERROR


NORMS = {
    "InstanceNormalization": (image(3, mean=1.0), {}),
    "LayerNormalization": (image(64, mean=1.0), {}),
    "GroupNormalization": (image(3, mean=1.0), {"num_groups": 1}),
}


@pytest.mark.sampled(3)
@pytest.mark.parametrize("op", NORMS)
def test_a_normalization_of_numbers_far_from_zero_is_left_open(op):
    scale, attributes = NORMS[op]
    noise = image(1, 3, 48, 64, mean=0.0, sd=1.0)
    model = plain(node(op, "x s b", "y", **attributes), noise, {"s": scale, "b": scale})
    assert targets.check(model, TARGET).undefined_values[op] == ["uncentred"]
    limits = {}
    for mean in (50, 1000):
        x = (noise + np.float32(mean)).astype(np.float32)
        with Float64Runner(model) as runner:
            truth = runner.infer({"x": x})["y"]
        with open_runner(model, TARGET) as runner:
            limits[mean] = np.abs(runner.infer({"x": x})["y"] - truth).max() / np.ptp(truth)
    assert limits[50] < GPU_ERROR < 3 * GPU_ERROR < limits[1000]


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", FAULTY)
def test_a_conv_that_is_wrong_by_itself_and_right_when_lowered(name):
    model, x = FAULTY[name]
    assert error_of(model, x) > WRONG
    assert not targets.check(model, TARGET)
    lowered = lower(model, TARGET)
    assert lowered, str(lowered)
    assert error_of(model, x, lowered.model) < GPU_ERROR


@pytest.mark.sampled(4)
@pytest.mark.parametrize("name", RIGHT)
def test_a_conv_beside_them_is_right(name):
    model, x = RIGHT[name]
    assert targets.check(model, TARGET)
    assert error_of(model, x) < GPU_ERROR


@pytest.mark.slow
def test_the_table_says_which_ops_the_cpu_computes():
    """Without the CPU the engine refuses these ops and no other ones, at the newest opset at which they changed."""
    on_gpu = dataclasses.replace(TARGET, settings={**TARGET.settings, "cpu_fallback": False})
    newest = {case.op: model[:2] for case in CASES for model in spellings(case, "FLOAT") if case.op != "OneHot"}
    chosen = {op: (at, model) for op, (at, model) in newest.items() if TARGET.takes(op, at)}
    assert len(chosen) > 100
    wrong = [op for op, (at, model) in chosen.items() if needs_cpu(model, on_gpu) != TARGET.leaves_to_cpu(op, at)]
    assert not wrong


def needs_cpu(model, target) -> bool:
    try:
        open_runner(model, target).close()
    except RuntimeFault as fault:
        return "fallback to CPU EP has been explicitly disabled" in fault.message
    return False


def test_a_dropout_that_is_not_removed_is_left_without_a_provider():
    x = image(1, 3, 5, 7)
    model = graph([node("Dropout", "x", "y")], {"x": x}, outputs={"y": x.shape}, opset=13)
    with pytest.raises(RuntimeFault, match="Provider type for Dropout node with name '' is not set"):
        open_runner(model, TARGET)
    assert not targets.check(model, TARGET)
    assert error_of(model, x, lower(model, TARGET).model) < GPU_ERROR


def test_check_names_the_ops_that_the_cpu_computes():
    x = image(1, 3, 5, 7)
    nodes = [node("Mean", "x x", "m"), node("Relu", "m", "y")]
    model = graph(nodes, {"x": x}, outputs={"y": x.shape}, opset=13)
    assert str(targets.check(model, TARGET)) == "ort-web/webgpu: all 2 nodes are supported; on the CPU: 1 Mean"


@pytest.mark.parametrize("gates", [("GRU", 3), ("LSTM", 4)], ids=["GRU", "LSTM"])
def test_a_batch_before_the_sequence_is_right_on_the_gpu_which_ends_at_opset_21(gates):
    """The CPU engine, which computes these ops from opset 22 on and in float16, refuses it."""
    op, count = gates
    x = image(2, 5, 3, mean=0.0, sd=1.0)
    weights = {"w": image(1, count * 4, 3, mean=0.0, sd=1.0), "r": image(1, count * 4, 4, mean=0.0, sd=1.0)}
    first, second = (node(op, "x w r", "y", hidden_size=4, layout=layout) for layout in (1, 0))
    with open_runner(plain(first, x, weights), TARGET) as runner:
        actual = runner.infer({"x": x})["y"].transpose(1, 2, 0, 3)
    sequence = x.transpose(1, 0, 2).copy()
    with open_runner(plain(second, sequence, weights), "ort-web/wasm") as runner:
        expected = runner.infer({"x": sequence})["y"]
    assert worst_error(actual, expected) < GPU_ERROR
    assert targets.check(plain(first, x, weights), TARGET)
    halves = {name: array.astype(np.float16) for name, array in weights.items()}
    refused = plain(first, x, weights, opset=22), typed("float16", [first], x.astype(np.float16), halves)
    for model in refused:
        with pytest.raises(RuntimeFault, match="layout == 1"):
            open_runner(model, TARGET)
        assert not targets.check(model, TARGET)
