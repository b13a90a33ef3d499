"""The faults of OpenCV, OpenVINO, tract and ONNX Runtime that their targets name, each beside a node that is right."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import models, targets
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
    grid = GAUSS.uniform(-1.3, 1.3, (1, 4, 3, 2)).astype(np.float32)
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


def filled(**given):
    return one("Pad", {"x": x(3, 4)}, {"p": ints(0, 1, 0, 1), **given}, mode="reflect")


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


def prelu(*slope):
    return one("PRelu", {"x": x(2, 3, 4, 5)}, {"s": x(*slope)})


LARGE = np.array([[-100, 0, 88, 90, 300]], np.float32)
CASES = {
    (OPENCV, "Softplus"): (one("Softplus", {"x": LARGE}), one("Relu", {"x": LARGE})),
    (TRACT, "Softplus"): (one("Softplus", {"x": LARGE}), one("Relu", {"x": LARGE})),
    (OPENCV, "PRelu"): (prelu(5), prelu(3, 1, 1)),
    (OPENCV, "Resize"): (resize(0.7, mode="linear"), resize(0.6, mode="linear")),
    (OPENCV, "ceil"): (
        pool("MaxPool", ceil_mode=1, strides=[3, 3], pads=[0, 0, 1, 1]), pool("MaxPool", ceil_mode=1, strides=[2, 2])
    ),
    (OPENCV, "ConvTranspose SAME"): (transposed(auto_pad="SAME_UPPER"), transposed(pads=[1, 0, 1, 0])),
    (OPENCV, "output_shape"): (transposed(output_shape=[7, 9]), transposed()),
    (OPENCV, "DFT"): (dft(2), dft(axis=2)),
    (OPENCV, "MaxPool indices"): (
        one("MaxPool", {"x": x(1, 2, 7, 8)}, outputs=2, kernel_shape=[2, 2], strides=[2, 2]),
        one("MaxPool", {"x": x(1, 2, 7, 8)}, kernel_shape=[2, 2], strides=[2, 2]),
    ),
    (OPENCV, "bicubic"): (samples("bicubic"), samples("bilinear")),
    (TRACT, "bicubic"): (samples("bicubic", "border"), samples("bicubic")),
    (OPENCV, "reverse"): (recurrent("GRU", direction="reverse"), recurrent("GRU")),
    (TRACT, "reverse"): (recurrent("RNN", direction="reverse"), recurrent("RNN")),
    (OPENCV, "clip"): (recurrent("LSTM", clip=0.3), recurrent("LSTM")),
    (TRACT, "clip"): (recurrent("GRU", clip=0.3), recurrent("GRU", linear_before_reset=1)),
    (TRACT, "activations"): (recurrent("RNN", activations=["Relu"]), recurrent("RNN", activations=["Tanh"])),
    (OPENVINO, "activations"): (recurrent("RNN", activations=["Softsign"]), recurrent("RNN", activations=["Relu"])),
    (OPENVINO, "input_forget"): (recurrent("LSTM", input_forget=1), recurrent("LSTM", clip=0.3)),
    (OPENVINO, "peepholes"): (peepholes(True), peepholes(False)),
    (OPENCV, "MatMul"): (
        one("MatMul", {"x": x(2, 3, 4), "y": x(4)}), one("MatMul", {"x": x(2, 3, 4), "y": x(4, 1)})
    ),
    (TRACT, "MatMul"): (one("MatMul", {"x": x(4), "y": x(4)}), one("MatMul", {"x": x(3, 4), "y": x(4)})),
    (OPENCV, "Softmax"): (softmax("LogSoftmax", 11, 1), softmax("LogSoftmax", 11, 2)),
    (OPENVINO, "Softmax"): (softmax("Softmax", 12, 1), softmax("Softmax", 10, 1)),
    (TRACT, "Pad"): (pad("constant", 0, 0, -1, 1, 0, 0, 1, -2), pad("constant", 0, 0, 0, 1, 0, 0, 1, 0)),
    (TRACT, "wrap"): (pad("wrap", 0, 0, 0, 1, 0, 0, 1, 0), pad("edge", 0, 0, 0, 1, 0, 0, 1, 0)),
    (OPENVINO, "If"): (decided(1, 1), decided(1)),
    (OPENVINO, "wrap"): (pad("wrap", 0, 0, 0, 1, 0, 0, 1, 0), pad("edge", 0, 0, 0, 1, 0, 0, 1, 0)),
    (OPENVINO, "DFT"): (dft(2), dft(axis=2)),
    (OPENVINO, "half DFT"): (dft(onesided=1), dft(inverse=0)),
    (OPENVINO, "GatherElements"): (gather_elements(2, 2), gather_elements(3, 2)),
    (OPENCV, "GatherElements"): (gather_elements(2, 2), gather_elements(3, 2)),
    (OPENCV, "GatherND"): (gather_nd(1, -1), gather_nd(1, 0)),
    (TRACT, "GatherND"): (gather_nd(1, -1), gather_nd(1, 0)),
    (TRACT, "nearest"): (to_sizes("round_prefer_ceil"), to_sizes("floor")),
    (TRACT, "GlobalLpPool"): (one("GlobalLpPool", {"x": x(1, 2, 3, 4)}), one("GlobalMaxPool", {"x": x(1, 2, 3, 4)})),
    (TRACT, "Celu"): (one("Celu", {"x": x(3, 4)}, alpha=2.0), one("Celu", {"x": x(3, 4)}, alpha=1.0)),
    (TRACT, "LogSoftmax"): (one("LogSoftmax", {"x": LARGE}), one("Softmax", {"x": LARGE})),
    (TRACT, "Mod"): (mod(5), mod(3, 5)),
    (TRACT, "Mean"): (mean(5), mean(1, 5)),
    (TRACT, "filled"): (filled(v=np.float32(1.5)), filled()),
    (TRACT, "output_shape"): (transposed(output_shape=[6, 8]), transposed(output_shape=[7, 9])),
    (TRACT, "ConvTranspose SAME"): (
        transposed(auto_pad="SAME_UPPER", output_padding=[1, 1]), transposed(auto_pad="SAME_UPPER")
    ),
    (TRACT, "no window"): (
        one("MaxPool", {"x": x(3, 9, 6)}, kernel_shape=[7]), one("MaxPool", {"x": x(3, 9, 6)}, kernel_shape=[6])
    ),
    (TRACT, "Flatten"): (one("Flatten", {"x": x(0, 3)}, axis=0), one("Flatten", {"x": x(1, 3)}, axis=0)),
    (TRACT, "Squeeze"): (
        one("Squeeze", {"x": x(1, 3, 1)}, {"a": ints(2, 0)}), one("Squeeze", {"x": x(1, 3, 1)}, {"a": ints(0, 2)})
    ),
    (TRACT, "Slice"): (
        one("Slice", {"x": x(3, 4)}, opset=9, axes=[-1], starts=[0], ends=[2]),
        one("Slice", {"x": x(3, 4)}, opset=9, axes=[1], starts=[0], ends=[2]),
    ),
    (OPENCV, "Reshape"): (
        one("Reshape", {"x": x(2, 0, 3)}, {"s": ints(0, 2, 3)}, opset=14, allowzero=1),
        one("Reshape", {"x": x(3, 4)}, {"s": ints(4, -1)}, opset=14, allowzero=1),
    ),
    (TRACT, "Reshape"): (
        one("Reshape", {"x": x(3, 4), "s": ints(4, 3)}), one("Reshape", {"x": x(3, 4)}, {"s": ints(4, 3)})
    ),
    (TRACT, "int8 Softmax"): (softmax_of_int8(), softmax_of_int8("Relu")),
    (OPENCV, "nine taps"): (conv(1, 9), conv(1, 8)),
    (OPENCV, "SAME"): (
        conv(3, 3, strides=[2, 2], auto_pad="SAME_UPPER"), conv(3, 3, strides=[2, 2], auto_pad="SAME_LOWER")
    ),
    (OPENCV, "Sum"): (terms(4), terms(3)),
    (OPENCV, "volumes"): (one("GlobalMaxPool", {"x": x(1, 2, 3, 4, 5)}), one("GlobalMaxPool", {"x": x(1, 2, 3, 4)})),
    (OPENCV, "Shrink"): (one("Shrink", {"x": ints(1, 2)}), one("Shrink", {"x": x(3)})),
    (OPENCV, "wrap"): (pad("wrap", 0, 0, 0, -1, 0, 0, 0, 2), pad("wrap", 0, 0, 0, -1, 0, 0, 0, 0)),
    (OPENCV, "no axes"): (
        one("ReduceL1", {"x": x(3, 4)}, opset=18, noop_with_empty_axes=1), one("ReduceL1", {"x": x(3, 4)}, opset=18)
    ),
    (OPENCV, "axes"): (
        one("ReduceL2", {"x": x(1, 3, 5, 7, 5)}, axes=[1, 2, 3]),
        one("ReduceL2", {"x": x(1, 3, 5, 7, 5)}, axes=[0, 1, 2]),
    ),
    (OPENCV, "Tanh"): (one("Tanh", {"x": np.full((1, 8), 50, np.float32)}), one("Sigmoid", {"x": x(1, 8)})),
    (OPENCV, "slope"): (one("PRelu", {"x": x(2, 3), "s": x(3)}), one("PRelu", {"x": x(2, 3)}, {"s": x(3)})),
    (OPENCV, "mode"): (resize(2.0), resize(2.0, mode="nearest")),
    (OPENCV, "Trilu"): (one("Trilu", {"x": x(7, 1)}, opset=14), one("Trilu", {"x": x(1, 7)}, opset=14)),
    (OPENCV, "ScatterElements"): (scattered(-1), scattered(1)),
    (OPENCV, "empty"): (conv(3, 3, batch=0), conv(3, 3)),
    (OPENVINO, "output_shape"): (
        transposed(output_shape=[6, 8], auto_pad="SAME_UPPER"), transposed(output_shape=[6, 8], auto_pad="SAME_LOWER")
    ),
    (OPENVINO, "condition"): (branches(1, 1), branches(1)),
    (OPENVINO, "empty"): (pooled(0), pooled(1)),
    (ORT, "layout"): (
        one("RNN", {"x": x(2, 5, 3)}, {"w": x(1, 4, 3), "r": x(1, 4, 4)}, opset=14, hidden_size=4, layout=1),
        recurrent("RNN"),
    ),
    (ORT, "RoiAlign"): (
        one("RoiAlign", {"x": x(1, 2, 8, 8)}, {"r": np.abs(x(1, 4)), "b": ints(0)}, opset=22), recurrent("LSTM")
    ),
}  # fmt: skip
"""By target and fault: a model that it gets wrong or fails on, and one beside it that is right; each with its feeds."""


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
    return all(worst_error(actual[value], expected[value]) < 10 * FLOAT32_ERROR for value in expected)


CORRUPTS_MEMORY = {(OPENCV, "Sum")}
"""Cases after which the engine's process computes other models wrongly too."""


@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_fault_is_known_to_check_and_the_node_beside_it_is_right(name, fault):
    target = targets.load(name)
    (faulty, its_feeds), (right, feeds) = CASES[name, fault]
    assert is_right(right, feeds, name)
    assert targets.check(right, target), targets.check(right, target).table.reason.to_list()
    assert not is_right(faulty, its_feeds, name, ends_process=(name, fault) in CORRUPTS_MEMORY)
    assert not targets.check(faulty, target)
