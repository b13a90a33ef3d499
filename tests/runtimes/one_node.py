"""Small models for the tests of the quirks of OpenCV, OpenVINO, tract and ONNX Runtime, and whether one is right."""

from __future__ import annotations

import numpy as np
from onnx import TensorProto, helper

from fns_lab import models
from fns_lab.errors import RuntimeFault
from fns_lab.runtimes import open_runner
from tests import seeds
from tests.runtimes.graphs import FLOAT32_ERROR, graph, worst_error

OPENCV, OPENVINO, TRACT, ORT = "opencv/cpu", "openvino/cpu", "tract/cpu", "ort/cpu"
GAUSS = seeds.generator()


def x(*shape: int) -> np.ndarray:
    return GAUSS.normal(size=shape).astype(np.float32)


def ints(*numbers: int) -> np.ndarray:
    return np.array(numbers, np.int64)


def one(op, feeds, constants=None, *, inputs=None, outputs=1, opset=13, **attributes):
    """A model of one node that reads the feeds, then the constants, unless its inputs are named; and the feeds."""
    constants = constants or {}
    names = [*feeds, *constants] if inputs is None else inputs.split(",")
    values = [f"y{i}" for i in range(outputs)]
    only = helper.make_node(op, names, values, **attributes)
    model = graph(
        [only], feeds, constants, outputs=dict.fromkeys(values), opset=opset, ir_version=8,
        initializers_are_inputs=False,
    )  # fmt: skip
    for output in model.graph.output:
        output.ClearField("type")  # not always float
    return models.infer_shapes(model), feeds


def recurrent(op, **attributes):
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    weights = {"w": x(1, gates * 4, 3), "r": x(1, gates * 4, 4)}
    return one(op, {"x": x(5, 2, 3)}, weights, outputs=2, opset=14, hidden_size=4, **attributes)


def peepholes(given):
    weights = {"w": x(1, 16, 3), "r": x(1, 16, 4)} | ({"p": x(1, 12)} if given else {})
    return one(
        "LSTM", {"x": x(5, 2, 3)}, weights, inputs="x,w,r,,,,,p" if given else "x,w,r", outputs=2, opset=14,
        hidden_size=4,
    )  # fmt: skip


def decided(*condition: int):
    """A model of an If on a condition of this shape."""
    then, other = (
        helper.make_graph([helper.make_node(op, ["x"], ["r"])], op, [], [helper.make_tensor_value_info("r", 1, (2, 3))])
        for op in ("Relu", "Neg")
    )
    nodes = [
        helper.make_node("Greater", ["c", "half"], ["is"]),
        helper.make_node("If", ["is"], ["y"], then_branch=then, else_branch=other),
    ]
    feeds = {"x": x(2, 3), "c": np.ones(condition, np.float32)}
    model = graph(
        nodes, feeds, {"half": np.float32(0.5)}, outputs={"y": (2, 3)}, opset=13, ir_version=8,
        initializers_are_inputs=False,
    )  # fmt: skip
    return models.infer_shapes(model), feeds


def pool(op, **attributes):
    return one(op, {"x": x(1, 2, 7, 8)}, opset=19, kernel_shape=[3, 2], **attributes)


def transposed(**attributes):
    return one("ConvTranspose", {"x": x(1, 2, 3, 4)}, {"w": x(2, 3, 3, 3)}, strides=[2, 2], **attributes)


def samples(mode, padding="zeros"):
    grid = seeds.generator().uniform(-1.3, 1.3, (1, 4, 3, 2)).astype(np.float32)
    return one("GridSample", {"x": x(1, 2, 5, 6), "g": grid}, opset=16, mode=mode, padding_mode=padding)


def softmax(op, opset, axis):
    return one(op, {"x": x(2, 3, 4)}, opset=opset, axis=axis)


def pad(mode, *pads):
    return one("Pad", {"x": x(2, 3, 4, 5)}, {"p": ints(*pads)}, opset=19, mode=mode)


def resize(scale, **attributes):
    scales = {"s": np.array([1, 1, scale, 1], np.float32)}
    return one("Resize", {"x": x(1, 2, 5, 6)}, scales, inputs="x,,s", opset=18, **attributes)


def to_sizes(rounding):
    return one(
        "Resize", {"x": x(1, 2, 5, 7)}, {"z": ints(1, 2, 3, 4)}, inputs="x,,,z",
        coordinate_transformation_mode="asymmetric", nearest_mode=rounding,
    )  # fmt: skip


def dft(*axis, **attributes):
    constants = {"a": ints(*axis).reshape(())} if axis else {}
    inputs = "x,,a" if axis else "x"
    return one("DFT", {"x": x(2, 6, 5, 1)}, constants, inputs=inputs, opset=20 if axis else 17, **attributes)


def gather_nd(*indices):
    return one("GatherND", {"x": x(2, 3, 4)}, {"i": ints(*indices).reshape(-1, 1)})


def gather_elements(*shape):
    return one("GatherElements", {"x": x(3, 4)}, {"i": np.zeros(shape, np.int64)}, axis=1)


def conv(*kernel, batch=1, **attributes):
    return one("Conv", {"x": x(batch, 3, 16, 16)}, {"w": x(4, 3, *kernel)}, **attributes)


def mod(*shape):
    return one("Mod", {"x": x(*shape), "y": x(3, 5)}, fmod=1)


def mean(*shape):
    return one("Mean", {"x": x(*shape), "y": x(3, 5)})


def filled(mode="reflect", **given):
    return one("Pad", {"x": x(3, 4)}, {"p": ints(0, 1, 0, 1), **given}, mode=mode)


def terms(count):
    return one("Sum", {f"x{i}": x(1) if i % 2 else x(2, 3) for i in range(count)})


def scattered(axis):
    return one("ScatterElements", {"x": x(3, 4)}, {"i": np.ones((1, 2), np.int64), "u": x(1, 2)}, axis=axis)


def pooled(batch):
    return one("MaxPool", {"x": x(batch, 2, 5, 6)}, kernel_shape=[2, 2])


def branch(op):
    output = helper.make_tensor_value_info(op, TensorProto.FLOAT, (2, 3))
    return helper.make_graph([helper.make_node(op, ["x"], [op])], op, [], [output])


def branches(*shape):
    feeds = {"x": x(2, 3), "c": np.ones(shape, bool)}
    choice = helper.make_node("If", ["c"], ["y"], then_branch=branch("Relu"), else_branch=branch("Neg"))
    return graph([choice], feeds, outputs={"y": (2, 3)}, opset=13, ir_version=8), feeds


def softmax_of_int8(*before):
    q = {"q": np.arange(12, dtype=np.uint8).reshape(3, 4)}
    scales = {"s": np.float32(0.1), "z": np.uint8(0), "t": np.float32(1 / 256)}
    names = [f"d{i}" for i in range(len(before) + 1)]
    nodes = [
        helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d0"]),
        *(helper.make_node(op, [a], [b]) for op, a, b in zip(before, names, names[1:], strict=False)),
        helper.make_node("Softmax", [names[-1]], ["m"]),
        helper.make_node("QuantizeLinear", ["m", "t", "z"], ["y"]),
    ]
    model = graph(nodes, q, scales, outputs={"y": None}, opset=13, ir_version=8, initializers_are_inputs=False)
    model.graph.output[0].type.tensor_type.elem_type = TensorProto.UINT8
    return models.infer_shapes(model), q


def cast_and(op, to):
    feeds = {"x": np.arange(6, dtype=np.uint8)}
    nodes = [helper.make_node("Cast", ["x"], ["i"], to=to), helper.make_node(op, ["i", "a"], ["y"])]
    model = graph(
        nodes, feeds, {"a": np.array(0)}, outputs={"y": None}, opset=14, ir_version=8, initializers_are_inputs=False
    )
    model.graph.output[0].type.tensor_type.elem_type = to
    return models.infer_shapes(model), feeds


def sliced(opset, starts, ends):
    return one("Slice", {"x": x(4, 5)}, opset=opset, axes=[1], starts=starts, ends=ends)


def upsampled(*scales):
    return one("Upsample", {"x": x(2, 2, 5, 6)}, {"s": np.array(scales, np.float32)}, opset=9, mode="nearest")


def quantized_conv(filters):
    """A QLinearConv with one scale per filter."""
    constants = {
        "sx": np.float32(0.05), "zx": np.uint8(9), "w": np.ones((filters, 3, 3, 3), np.int8),
        "sw": np.full(filters, 0.02, np.float32), "zw": np.zeros(filters, np.int8), "sy": np.float32(0.5),
        "zy": np.uint8(5),
    }  # fmt: skip
    return one("QLinearConv", {"x": np.arange(90, dtype=np.uint8).reshape(1, 3, 5, 6)}, constants)


def rotated(*constant):
    """A RotaryEmbedding whose inputs of these names, the values and two caches, are constant."""
    given = {"x": x(2, 3, 4, 8), "c": x(2, 4, 4), "s": x(2, 4, 4)}
    constants = {name: given.pop(name) for name in constant}
    return one("RotaryEmbedding", given, constants, inputs="x,c,s", opset=23)


def reduced_to(*axes):
    """A reduction over these axes of a matrix, and a Relu of the result."""
    nodes = [
        helper.make_node("ReduceMax", ["x"], ["m"], axes=list(axes), keepdims=0), helper.make_node("Relu", ["m"], ["y"])
    ]  # fmt: skip
    feeds = {"x": x(3, 4)}
    model = graph(nodes, feeds, outputs={"y": None}, opset=13, ir_version=8)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    return models.infer_shapes(model), feeds


def prelu(*slope):
    return one("PRelu", {"x": x(2, 3, 4, 5)}, {"s": x(*slope)})


LARGE = np.array([[-100, 0, 88, 90, 300]], np.float32)


def is_right(model, feeds, name, *, ends_process=False) -> bool:
    try:
        with open_runner(model, name) as runner:
            actual = runner.infer(feeds)
            if ends_process:
                runner.cancel()
        if name == ORT:
            return True
        with open_runner(model, ORT) as runner:
            expected = runner.infer(feeds)
    except RuntimeFault:
        return False
    return all(
        actual[value].dtype == y.dtype and worst_error(actual[value], y) < 10 * FLOAT32_ERROR
        for value, y in expected.items()
    )
