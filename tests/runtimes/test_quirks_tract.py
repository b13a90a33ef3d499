"""The faults of tract that its target names, each beside a node that is right."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import models, targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import graph
from tests.runtimes.one_node import (
    LARGE,
    TRACT,
    cast_and,
    filled,
    gather_nd,
    ints,
    is_right,
    mean,
    mod,
    one,
    pad,
    recurrent,
    samples,
    sliced,
    softmax_of_int8,
    to_sizes,
    transposed,
    x,
)

F32 = np.float32


def lengths(op, *, fed):
    """A recurrent layer of two sequences, one of them shorter; their lengths are fed or constant."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[op]
    weights = {"w": x(1, gates * 4, 3), "r": x(1, gates * 4, 4)}
    short = {"n": np.array([5, 3], np.int32)}
    feeds, constants = {"x": x(5, 2, 3)} | (short if fed else {}), weights | ({} if fed else short)
    return one(op, feeds, constants, inputs="x,w,r,,n", outputs=2, opset=14, hidden_size=4)


def reversed_rows(count):
    limits = {"s": ints(-1), "e": ints(-100), "a": ints(0), "t": ints(-1)}
    return one("Slice", {"x": x(count, 3)}, limits)


def dequantized(count):
    constants = {"s": F32([0.5] * count), "z": np.zeros(count, np.int32)}
    return one("DequantizeLinear", {"x": np.ones((count, 129, 5), np.int32)}, constants, opset=19, axis=0)


def valid_pool(ceil_mode):
    window = {"kernel_shape": [3, 3], "strides": [2, 2], "auto_pad": "VALID"}
    return one("AveragePool", {"x": x(1, 1, 8, 8)}, opset=19, ceil_mode=ceil_mode, **window)


def stepped(op, *between, shape=(2, 16, 9), axis=2, outputs=("y",)):
    """A Slice by steps along an axis of a value reshaped to (2, 4, 4, 9), or a Conv of one tap; nodes from r to m."""
    limits = {"s": ints(0), "e": ints(99), "a": ints(axis), "t": ints(2)}
    read = {"Slice": ("m", *limits), "Conv": ("m", "w")}[op]
    last = helper.make_node(op, read, ["y"], **({"strides": [2, 2]} if op == "Conv" else {}))
    nodes = [helper.make_node("Reshape", ["x", "sizes"], ["r"]), *(helper.make_node(*each) for each in between), last]
    feeds = {"x": x(*shape)}
    constants = {"sizes": ints(2, 4, 4, 9)} | (limits if op == "Slice" else {"w": x(3, 4, 1, 1)})
    model = graph(
        nodes, feeds, constants, outputs=dict.fromkeys(outputs), opset=13, ir_version=8, initializers_are_inputs=False
    )
    return models.infer_shapes(model), feeds


RELU, SIGMOID, ADD = ("Relu", ["r"], ["m"]), ("Sigmoid", ["r"], ["z"]), ("Add", ["z", "k"], ["m"])


def corner(width):
    """A Slice of some rows, and of the columns from the second on."""
    return one("Slice", {"x": x(1, 1, 7, width)}, opset=9, axes=[2, 3], starts=[2, 1], ends=[5, 9])


def put(**reduction):
    constants = {"i": ints(0, 1), "u": np.array([True, False])}
    return one("ScatterElements", {"x": np.ones(5, bool)}, constants, opset=18, **reduction)


def shrunk(dtype):
    """An image at half its size, smoothed."""
    image = {"x": np.arange(35).reshape(1, 1, 5, 7).astype(dtype)}
    return one("Resize", image, {"s": F32([1, 1, 0.5, 0.5])}, inputs="x,,s", opset=18, mode="linear", antialias=1)


def compared(dtype, rows):
    return one("Greater", {"x": np.ones((rows, 3), dtype)}, {"y": np.ones((rows, 3), dtype)})


def suppressed(inputs, *, fed=True):
    """Two boxes that overlap, with these inputs, the boxes and their scores fed or constant."""
    boxes = {"b": F32([[[0, 0, 1, 1], [0, 0.2, 1, 1.2]]]), "s": F32([[[0.9, 0.8]]])}
    limits = {"m": ints(2), "i": F32([0.5]), "o": F32(0.5)}
    given = {name: limits[name] for name in inputs.split(",") if name in limits}
    return one("NonMaxSuppression", boxes if fed else {}, given if fed else boxes | given, inputs=inputs)


def cell_state(batch):
    """An LSTM that gives out the last state of its cell."""
    weights = {"w": x(1, 16, 3), "r": x(1, 16, 4)}
    return one("LSTM", {"x": x(5, batch, 3)}, weights, outputs=3, opset=14, hidden_size=4)


def alike(batch):
    """An LSTM that starts from zeros, which are constants, and gives out the last state of its cell."""
    weights = {"w": x(1, 16, 3), "r": x(1, 16, 4), "h": np.zeros((1, batch, 4), np.float32)}
    feeds = {"x": x(5, batch, 3)}
    return one("LSTM", feeds, weights, inputs="x,w,r,,,h,h", outputs=3, opset=14, hidden_size=4)


def far(dtype):
    """A volume around 300, whose squares float16 does not hold in a sum."""
    return (x(1, 1, 8, 8, 8) + 300).astype(dtype)


def typed_zeros(**value):
    """Zeros whose type and shape the file states, and what is added to them."""
    nodes = [
        helper.make_node("ConstantOfShape", ["n"], ["zeros"], **value), helper.make_node("Add", ["x", "zeros"], ["y"])
    ]  # fmt: skip
    feeds = {"x": x(2, 3)}
    model = graph(
        nodes, feeds, {"n": ints(2, 3)}, outputs={"y": (2, 3)}, opset=13, ir_version=8, initializers_are_inputs=False
    )
    model.graph.value_info.append(helper.make_tensor_value_info("zeros", TensorProto.FLOAT, (2, 3)))
    return model, feeds


def chosen(copies):
    """An If that gives one copy of an image, or this many one below the other."""
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Concat", ["x"] * count, [name], axis=0)], name, [],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name, count in (("then", 1), ("else", copies))
    }  # fmt: skip
    feeds = {"c": np.array(True), "x": x(2, 3)}
    node = helper.make_node("If", ["c"], ["y"], **branches)
    return graph([node], feeds, outputs={"y": None}, opset=13, ir_version=8), feeds


def frames(*shape):
    return one("STFT", {"x": x(*shape)}, {"s": np.array(4), "n": np.array(16)}, inputs="x,s,,n", opset=17, onesided=1)


def batched(batch):
    model, feeds = recurrent("RNN")
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, (5, batch, 3)))
    del model.graph.value_info[:]
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model, feeds


def computed_sizes(op, **attributes):
    """A Reshape to the free size of its input, which goes through this op, and its other sizes."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Slice", ["s", "b", "e"], ["n"]),
        helper.make_node(op, ["n"], ["m"], **attributes), helper.make_node(op, ["m"], ["o"], **attributes),
        helper.make_node("Cast", ["o"], ["p"], to=TensorProto.INT64),
        helper.make_node("Concat", ["p", "rest"], ["q"], axis=0), helper.make_node("Reshape", ["x", "q"], ["y"]),
    ]  # fmt: skip
    feeds, limits = {"x": x(2, 3, 4)}, {"b": ints(0), "e": ints(1), "rest": ints(-1)}
    model = graph(nodes, feeds, limits, outputs={"y": None}, opset=13, ir_version=8, initializers_are_inputs=False)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3, 4)))
    return model, feeds


def corners(scale):
    constants = {"s": F32([1, 1, scale, scale])}
    modes = {"mode": "linear", "coordinate_transformation_mode": "align_corners"}
    return one("Resize", {"x": x(1, 1, 9, 9)}, constants, inputs="x,,s", **modes)


def resized_to(*sizes):
    """A Resize of an input of these sizes to the first two of them and fixed ones."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Slice", ["s", "b", "e"], ["n"]),
        helper.make_node("Concat", ["n", "hw"], ["q"], axis=0),
        helper.make_node("Resize", ["x", "", "", "q"], ["y"], mode="linear"),
    ]  # fmt: skip
    feeds, constants = {"x": x(2, 3, 4, 5)}, {"b": ints(0), "e": ints(2), "hw": ints(8, 10)}
    model = graph(nodes, feeds, constants, outputs={"y": None}, opset=13, ir_version=8, initializers_are_inputs=False)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))
    return model, feeds


def divided(*shape):
    """Unsigned integers of this shape by a constant of two rows."""
    return one("Div", {"x": np.full(shape, 13, np.uint16)}, {"d": np.full((2, 1), 2, np.uint16)}, opset=14)


def flattened(*sizes):
    """A Flatten of an input with these sizes, some of them free."""
    flatten = helper.make_node("Flatten", ["x"], ["y"])
    model = graph([flatten], {"x": (feed := x(2, 3, 4))}, outputs={"y": None}, opset=13, ir_version=8)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))
    return model, {"x": feed}


def of_free(op_type, sizes, *constants):
    """A node of an input with these sizes, some of them free, and of constants; its result is stated."""
    names = [f"c{index}" for index in range(len(constants))]
    node, last = helper.make_node(op_type, ["x", *names], ["r"]), helper.make_node("Relu", ["r"], ["y"])
    inits = dict(zip(names, constants, strict=True))
    model = graph([node, last], {"x": (feed := x(2, 4, 5))}, inits, outputs={"y": None}, opset=13, ir_version=8)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, sizes))
    return models.infer_shapes(model), {"x": feed}


def from_sizes(op_type, output_type, *constants, **attributes):
    """A node of this type of the sizes of an input, the first of which is free, and of constants."""
    names = [f"c{index}" for index in range(len(constants))]
    nodes = [helper.make_node("Shape", ["x"], ["s"]), helper.make_node(op_type, ["s", *names], ["y"], **attributes)]
    inits, feed = dict(zip(names, constants, strict=True)), x(2, 3)
    outputs = {"y": (2,)}
    model = graph(nodes, {"x": feed}, inits, outputs=outputs, output_type=output_type, opset=13, ir_version=8)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n", 3)))
    return model, {"x": feed}


def repeated(op_type, constant):
    """A constant row, repeated for a free size, then a node of this type of it and of another constant."""
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]), helper.make_node("Expand", ["c", "s"], ["r"]),
        helper.make_node(op_type, ["r", "w"], ["y"]),
    ]  # fmt: skip
    constants = {"c": x(1, 4), "w": constant}
    model = graph(nodes, {"x": (feed := x(4, 4))}, constants, outputs={"y": None}, opset=13, ir_version=8)
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 4]))
    return model, {"x": feed}


def tripled(dtype):
    pixels = {"x": np.array([[[[1, 4, 2], [7, 5, 3]]]], dtype)}
    scales = {"s": F32([1, 1, 3, 3])}
    return one("Resize", pixels, scales, inputs="x,,s", mode="linear", coordinate_transformation_mode="asymmetric")


def counted(step, *, fed):
    limits = {"a": F32(0), "b": F32(4 * step), "d": F32(step)}
    return one("Range", limits if fed else {}, {} if fed else limits, inputs="a,b,d")


def averaged(dtype):
    return one("Mean", {"x": np.full(2, 40000, dtype), "y": np.full(2, 40000, dtype)})


CASES = {
    "axes in order as written": (
        one("Squeeze", {"x": x(2, 1, 3, 1)}, {"a": ints(-1, 1)}),
        one("Squeeze", {"x": x(2, 1, 3, 1)}, {"a": ints(1, -1)}),
    ),
    "mean of large halves": (averaged(np.float16), averaged(F32)),
    "tripled integers": (tripled(np.int32), tripled(F32)),
    "empty doubles": (
        one("Softmax", {"x": np.zeros((0, 3), np.float64)}, axis=0), one("Softmax", {"x": x(1, 3)}, axis=0)
    ),
    "constant range": (counted(-1, fed=False), counted(-1, fed=True)),
    "stated-length": (
        one("DFT", {"x": x(1, 8, 1)}, {"n": np.array(11)}, opset=17), one("DFT", {"x": x(1, 8, 1)}, opset=17)
    ),
    "filtered-integers": (shrunk(np.int32), shrunk(F32)),
    "empty-unsigned": (compared(np.uint32, 0), compared(np.uint32, 2)),
    "stepped-nothing": (reversed_rows(0), reversed_rows(2)),
    "empty DequantizeLinear": (dequantized(0), dequantized(2)),
    "ceil-of-valid": (valid_pool(1), valid_pool(0)),
    "axis of opset 20": (one("DFT", {"x": x(2, 6, 5, 1)}, opset=20), one("DFT", {"x": x(2, 6, 1)}, opset=20)),
    "norms-of-halves": (
        one("LpNormalization", {"x": np.full((2, 5), 200, np.float16)}), one("LpNormalization", {"x": x(2, 5)})
    ),
    "sliced-to-nothing": (corner(1), corner(2)),
    "euclid-of-halves": (
        one("ReduceL2", {"x": np.full((2, 5), 300, np.float16)}), one("ReduceL2", {"x": x(2, 5)})
    ),
    "sums-of-bool": (put(reduction="mul"), put()),
    "mean of a large sum": (
        one("ReduceMean", {"x": np.full((1, 100), 1000, np.float16)}, axes=[1]),
        one("ReduceMean", {"x": np.full((1, 100), 1000, F32)}, axes=[1]),
    ),
    "mean of large numbers": (
        one("ReduceMean", {"x": ints(2**30, 2**30, 2**30)}, axes=[0]), one("ReduceMean", {"x": x(3)}, axes=[0])
    ),
    "constant boxes": (suppressed("b,s,m,i", fed=False), suppressed("b,s,m,i")),
    "unstated-limit": (suppressed("b,s,,i"), suppressed("b,s,m,i")),
    "vector-limits": (suppressed("b,s,m,o"), suppressed("b,s,m,i")),
    "cell-state": (cell_state(2), cell_state(1)),
    "states-alike": (alike(2), alike(1)),
    "length of STFT": (
        one("STFT", {"x": x(1, 64, 1), "n": np.array(16)}, {"s": np.array(4)}, inputs="x,s,,n", opset=17, onesided=0),
        one("STFT", {"x": x(1, 64, 1)}, {"s": np.array(4), "n": np.array(16)}, inputs="x,s,,n", opset=17, onesided=0),
    ),
    "flat far halves": (
        one("InstanceNormalization", {"x": far(np.float16)}, {name: np.ones(1, np.float16) for name in "sb"}),
        one("InstanceNormalization", {"x": far(F32)}, {name: np.ones(1, F32) for name in "sb"}),
    ),
    "scalar-fill": (filled(v=F32([1.5]), mode="constant"), filled(v=F32(1.5), mode="constant")),
    "stated-fill": (typed_zeros(), typed_zeros(value=numpy_helper.from_array(F32([0.0])))),
    "branches-of-one-shape": (chosen(2), chosen(1)),
    "Softplus": (one("Softplus", {"x": LARGE}), one("Relu", {"x": LARGE})),
    "bicubic": (samples("bicubic", "border"), samples("bicubic")),
    "reverse": (recurrent("RNN", direction="reverse"), recurrent("RNN")),
    "clip": (recurrent("GRU", clip=0.3), recurrent("GRU", linear_before_reset=1)),
    "activations": (recurrent("RNN", activations=["Relu"]), recurrent("RNN", activations=["Tanh"])),
    "MatMul": (one("MatMul", {"x": x(4), "y": x(4)}), one("MatMul", {"x": x(3, 4), "y": x(4)})),
    "Pad": (pad("constant", 0, 0, -1, 1, 0, 0, 1, -2), pad("constant", 0, 0, 0, 1, 0, 0, 1, 0)),
    "wrap": (pad("wrap", 0, 0, 0, 1, 0, 0, 1, 0), pad("edge", 0, 0, 0, 1, 0, 0, 1, 0)),
    "GatherND": (gather_nd(1, -1), gather_nd(1, 0)),
    "computed indices": (
        one("GatherND", {"x": x(2, 3, 4), "i": ints(-1).reshape(1, 1)}), gather_nd(1)
    ),
    "Squeeze before opset 13": (
        one("Squeeze", {"x": x(1, 3, 1)}, opset=11), one("Squeeze", {"x": x(1, 3, 1)}, opset=11, axes=[0, 2])
    ),
    "TopK before opset 10": (
        one("TopK", {"x": x(3, 4)}, outputs=2, opset=9, k=2),
        one("TopK", {"x": x(3, 4)}, {"k": ints(2)}, outputs=2, opset=10),
    ),
    "lengths of a GRU": (lengths("GRU", fed=True), recurrent("GRU")),
    "lengths of an LSTM": (lengths("LSTM", fed=True), recurrent("LSTM")),
    "lengths of an RNN": (lengths("RNN", fed=False), recurrent("RNN")),
    "DFT": (
        one("DFT", {"x": x(1, 8, 1), "n": np.array(11)}, opset=17),
        one("DFT", {"x": x(1, 8, 1)}, opset=17),
    ),
    "Compress": (
        one("Compress", {"x": x(3, 4), "c": np.array([True, False, True])}, axis=0), one("Relu", {"x": x(3, 4)})
    ),
    "nearest": (to_sizes("round_prefer_ceil"), to_sizes("floor")),
    "GlobalLpPool": (one("GlobalLpPool", {"x": x(1, 2, 3, 4)}), one("GlobalMaxPool", {"x": x(1, 2, 3, 4)})),
    "Celu": (one("Celu", {"x": x(3, 4)}, alpha=2.0), one("Celu", {"x": x(3, 4)}, alpha=1.0)),
    "LogSoftmax": (one("LogSoftmax", {"x": LARGE}), one("Softmax", {"x": LARGE})),
    "Mod": (mod(5), mod(3, 5)),
    "Mean": (mean(5), mean(1, 5)),
    "filled": (filled(v=np.float32(1.5)), filled()),
    "output_shape": (transposed(output_shape=[6, 8]), transposed(output_shape=[7, 9])),
    "ConvTranspose SAME": (
        transposed(auto_pad="SAME_UPPER", output_padding=[1, 1]), transposed(auto_pad="SAME_UPPER")
    ),
    "no window": (
        one("MaxPool", {"x": x(3, 9, 6)}, kernel_shape=[7]), one("MaxPool", {"x": x(3, 9, 6)}, kernel_shape=[6])
    ),
    "computed scale": (
        one("QuantizeLinear", {"x": x(3, 4), "s": np.float32(0.1)}, {"z": np.uint8(9)}),
        one("QuantizeLinear", {"x": x(3, 4)}, {"s": np.float32(0.1), "z": np.uint8(9)}),
    ),
    "variance": (
        one("MeanVarianceNormalization", {"x": x(1, 2, 5, 7) + 1000}),
        one("InstanceNormalization", {"x": x(1, 2, 5, 7) + 1000}, {"s": np.ones(2, F32), "b": np.zeros(2, F32)}),
    ),
    "Shrink": (one("Shrink", {"x": ints(3, 4)}, bias=0.1), one("Shrink", {"x": x(3)}, bias=0.1)),
    "Pow": (one("Pow", {"x": ints(3, 4)}, {"e": ints(2)}), one("Pow", {"x": x(2)}, {"e": ints(2)})),
    "exponent": (
        one("Pow", {"x": x(2).astype(np.float16)}, {"e": np.float32(2)}), one("Pow", {"x": x(2)}, {"e": np.float32(2)})
    ),
    "square": (
        one("Mul", {"x": ints(3, 4)}, inputs="x,x"), one("Mul", {"x": ints(3, 4), "y": ints(3, 4)})
    ),
    "Cast": (
        one("Cast", {"x": np.array([3e9], F32)}, opset=15, to=7),
        one("Cast", {"x": np.array([3], np.int32)}, opset=15, to=7),
    ),
    "size": (cast_and("CumSum", 7), cast_and("CumSum", 6)),
    "empty Slice": (sliced(9, [3], [1]), sliced(9, [3], [4])),
    "before the first": (sliced(9, [-9], [3]), sliced(9, [-4], [3])),
    "axes": (
        one("Slice", {"x": x(4, 5)}, opset=9, starts=[0], ends=[3]), sliced(9, [0], [3])
    ),
    "one tap": (
        one("ConvTranspose", {"x": x(1, 2, 3, 4)}, {"w": x(2, 3, 2, 2)}, strides=[2, 2], auto_pad="SAME_UPPER"),
        one("ConvTranspose", {"x": x(1, 2, 3, 4)}, {"w": x(2, 3, 3, 3)}, strides=[2, 2], auto_pad="SAME_UPPER"),
    ),
    "Flatten": (one("Flatten", {"x": x(0, 3)}, axis=0), one("Flatten", {"x": x(1, 3)}, axis=0)),
    "Squeeze": (
        one("Squeeze", {"x": x(1, 3, 1)}, {"a": ints(2, 0)}), one("Squeeze", {"x": x(1, 3, 1)}, {"a": ints(0, 2)})
    ),
    "Slice": (
        one("Slice", {"x": x(3, 4)}, opset=9, axes=[-1], starts=[0], ends=[2]),
        one("Slice", {"x": x(3, 4)}, opset=9, axes=[1], starts=[0], ends=[2]),
    ),
    "Reshape": (
        one("Reshape", {"x": x(3, 4), "s": ints(4, 3)}), one("Reshape", {"x": x(3, 4)}, {"s": ints(4, 3)})
    ),
    "int8 Softmax": (softmax_of_int8(), softmax_of_int8("Relu")),
    "STFT of two axes": (frames(1, 64), frames(1, 64, 1)),
    "sum of nothing": (
        one("ReduceSumSquare", {"x": x(2, 0)}, axes=[1]), one("ReduceSumSquare", {"x": x(2, 3)}, axes=[1])
    ),
    "repeated dividend": (divided(1, 1), divided(2, 1)),
    "sum to one number": (
        one("Einsum", {"x": x(2, 5)}, equation="ij->"),
        one("Einsum", {"x": x(2, 5)}, {"w": x(2, 5)}, equation="ij,ij->")
    ),
    "steps along a new axis": (stepped("Slice", RELU), stepped("Slice", RELU, axis=3)),
    "steps along a new axis of two branches": (
        stepped("Slice", SIGMOID, ("Relu", ["r"], ["k"]), ADD),
        stepped("Slice", SIGMOID, RELU, outputs=("y", "z")),
    ),
    "steps along a new axis, moved": (
        stepped("Slice", ("Transpose", ["r"], ["m"]), axis=1),
        stepped("Slice", ("Transpose", ["r"], ["m"]), axis=0),
    ),
    "strides along a new axis": (stepped("Conv", RELU), stepped("Conv", RELU, shape=(2, 2, 2, 4, 9))),
    "corners by fractional scales": (corners(1.7), corners(2)),
    "an axis that is a vector": (
        one("CumSum", {"x": x(3, 4)}, {"a": ints(1)}), one("CumSum", {"x": x(3, 4)}, {"a": np.array(1)})
    ),
}  # fmt: skip
"""By fault: a model that tract gets wrong or fails on, and one beside it that is right; each with its feeds."""


@pytest.mark.sampled(5)
@pytest.mark.parametrize("fault", CASES)
def test_a_fault_is_known_to_check_and_the_node_beside_it_is_right(fault):
    target = targets.load(TRACT)
    (faulty, its_feeds), (right, feeds) = CASES[fault]
    assert is_right(right, feeds, TRACT)
    assert targets.check(right, target), targets.check(right, target).table.reason.to_list()
    assert not is_right(faulty, its_feeds, TRACT)
    assert not targets.check(faulty, target)


FREE = {
    "batch of an RNN": batched("n"),
    "size by way of int32": computed_sizes("Cast", to=6),
    "product of sizes": computed_sizes("ReduceProd"),
    "sizes of a Resize": resized_to("n", 3, "h", "w"),
    "channels": of_free("Conv", (2, "c", 5), x(3, 4, 2)),
    "channels of a norm": of_free("InstanceNormalization", (2, "c", 5), x(4), x(4)),
    "size given out": from_sizes("Neg", TensorProto.INT64),
    "size compared": from_sizes("Equal", TensorProto.BOOL, ints(2, 3)),
    "size with another": of_free("Sub", (2, 4, "w"), x(5)),
    "repeated constants": repeated("MatMul", x(4, 4)),
    "two sizes": flattened("n", 3, "w"),
}
"""By what is free: a model that tract fails on or gets wrong if it is loaded with a free size, and its feeds."""


@pytest.mark.parametrize("case", FREE)
def test_tract_is_given_the_sizes_that_are_fed(case):
    model, feeds = FREE[case]
    assert targets.check(model, targets.load(TRACT))
    assert is_right(model, feeds, TRACT)


def test_tract_runs_other_sizes_of_the_same_inputs():
    model, feeds = of_free("Sub", ("n", 4, "w"), x(5))
    with open_runner(model, TRACT) as runner:
        for count in (2, 3, 2):
            rows = np.resize(feeds["x"], (count, 4, 5))
            assert runner.infer({"x": rows})["y"].shape == (count, 4, 5)


def test_steps_along_a_new_axis_are_lowered_to_what_tract_runs():
    model, feeds = stepped("Slice", RELU)
    lowered = lower(model, targets.load(TRACT))
    assert lowered, lowered.refused.to_string()
    assert is_right(lowered.model, feeds, TRACT)
