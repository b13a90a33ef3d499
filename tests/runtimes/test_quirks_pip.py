"""The faults of OpenCV, OpenVINO and ONNX Runtime that their targets name, each beside a node that is right."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import models, targets
from fns_lab.rewrite.lower import lower
from tests.runtimes.graphs import graph
from tests.runtimes.one_node import (
    LARGE,
    OPENCV,
    OPENVINO,
    ORT,
    TRACT,
    branches,
    conv,
    decided,
    dft,
    gather_elements,
    gather_nd,
    ints,
    is_right,
    mod,
    one,
    pad,
    peepholes,
    pool,
    pooled,
    prelu,
    quantized_conv,
    recurrent,
    reduced_to,
    resize,
    rotated,
    samples,
    scattered,
    softmax,
    terms,
    transposed,
    upsampled,
    x,
)

FRAMES = {"s": np.array(4), "w": np.ones(16, np.float32), "n": np.array(16)}
"""Step, window and length of the frames of an STFT."""


def corners(aligned):
    """A grid whose rows have one point each."""
    sizes = {"n": ints(2, 3, 1, 5)}
    return one("AffineGrid", {"t": x(2, 2, 3)}, sizes, inputs="t,n", opset=20, align_corners=aligned)


def cropped(mode):
    region = {"r": np.float32([0, 0, 0.1, 0.2, 1, 1, 0.8, 0.9]), "z": ints(1, 2, 4, 5)}
    return one(
        "Resize", {"x": x(1, 2, 6, 8)}, region, inputs="x,r,,z", mode="linear", coordinate_transformation_mode=mode
    )


def added(**stated):
    """A sum of whole numbers and a constant that states its own."""
    nodes = [helper.make_node("Constant", [], ["k"], **stated), helper.make_node("Add", ["x", "k"], ["y"])]
    model = graph(nodes, {"x": ints(3, 4)}, outputs={"y": (2,)}, output_type=TensorProto.INT64, opset=13, ir_version=8)
    return model, {"x": ints(3, 4)}


def stepped(dtype):
    limits = {"s": ints(0), "e": ints(5), "a": ints(1), "t": ints(2)}
    return one("Slice", {"x": np.arange(15).reshape(3, 5).astype(dtype)}, limits)


def doubled(dtype):
    image = (np.arange(48) * 7 % 50).reshape(1, 1, 6, 8).astype(dtype)
    return one("Resize", {"x": image}, {"s": ints(1, 1, 12, 16)}, inputs="x,,,s", mode="linear")


def resized_to_computed(images):
    """A Resize of constant images, or of none, to sizes that are fed; the sizes of the result are stated."""
    sizes, constant = ints(images, 3, 7, 7), {"x": x(images, 3, 5, 5)}
    nodes = [helper.make_node("Resize", ["x", "", "", "s"], ["y"], mode="nearest")]
    model = graph(nodes, {"s": sizes}, constant, outputs={"y": sizes.tolist()}, opset=13, ir_version=8)
    return model, {"s": sizes}


def numbered(dtype):
    return one("Range", {"a": np.array(1, dtype)}, {"n": np.array(9, dtype), "d": np.array(2, dtype)}, inputs="a,n,d")


def loss(dtype):
    """A weighted SoftmaxCrossEntropyLoss of images."""
    scores, labels = x(1, 3, 4, 5).astype(dtype), np.arange(20).reshape(1, 4, 5) % 3
    weights = np.array([0.5, 1, 2], dtype)
    return one("SoftmaxCrossEntropyLoss", {"x": scores}, {"l": labels, "w": weights})


def unpooled(*size, channels=1):
    """A MaxUnpool by 2 along each axis of an image of this size."""
    shape = (1, channels, *size)
    index = np.indices(shape)
    places = np.ravel_multi_index([*index[:2], *2 * index[2:]], (1, channels, *(2 * n for n in size)))
    kernel = [2] * len(size)
    return one("MaxUnpool", {"x": x(*shape)}, {"i": places}, kernel_shape=kernel, strides=kernel)


def biased():
    feeds = {"x": np.arange(24, dtype=np.uint8).reshape(1, 2, 3, 4), "b": np.array([40, 400, 100], np.int32)}
    constants = {
        "sx": np.float32(0.5), "zx": np.uint8(0), "w": np.ones((3, 2, 2, 2), np.int8), "sw": np.float32(0.5),
        "zw": np.int8(0), "sy": np.float32(2), "zy": np.uint8(0),
    }  # fmt: skip
    return one("QLinearConv", feeds, constants, inputs="x,sx,zx,w,sw,zw,sy,zy,b")


def gather_by(index):
    return one("GatherND", {"x": x(2, 3, 4), "i": ints(index).reshape(1, 1)})


def moved(op, dtype):
    """A node that moves elements of this type."""
    feeds, updates = {"x": np.arange(12).reshape(3, 4).astype(dtype)}, {"u": np.ones((1, 4), dtype)}
    if op == "ScatterND":
        return one(op, feeds | updates, {"i": ints(2).reshape(1, 1)}, inputs="x,i,u")
    index = {"i": ints(2, 0, 1, 0).reshape(1, 4)}
    return one(op, feeds, index) if op == "GatherElements" else one(op, feeds | updates, index, inputs="x,i,u")


def shifted(constant):
    """A value plus a constant minus the same."""
    nodes = [helper.make_node("Add", ["x", "c"], ["sum"]), helper.make_node("Sub", ["sum", "c"], ["y"])]
    feeds, shift = {"x": x(3, 4)}, {"c": np.float32([constant])}
    return graph(nodes, feeds, shift, outputs={"y": (3, 4)}, ir_version=8, initializers_are_inputs=False), feeds


def multiplied(dtype):
    """A QLinearMatMul of this type whose result is a single column."""
    factors = {"x": np.arange(1, 13, dtype=dtype).reshape(3, 4)}
    constants = {
        "sx": np.float32(0.05), "zx": dtype(3), "w": np.arange(1, 5, dtype=dtype).reshape(4, 1), "sw": np.float32(0.02),
        "zw": dtype(2), "sy": np.float32(0.004), "zy": dtype(5),
    }  # fmt: skip
    return one("QLinearMatMul", factors, constants)


def suppressed(*overlap, limit=3):
    """Two boxes that touch; with an overlap that is allowed, if one is given, and a limit unless it is None."""
    boxes = {"b": np.array([[[0, 0, 1, 1], [0, 1, 1, 2]]], np.float32), "s": np.array([[[0.9, 0.8]]], np.float32)}
    given = {"" if limit is None else "m": ints(limit or 0)} | {f"o{i}": np.float32(v) for i, v in enumerate(overlap)}
    constants = {name: array for name, array in given.items() if name}
    return one("NonMaxSuppression", boxes, constants, inputs=",".join([*boxes, *given]).rstrip(","))


def enlarged(dtype):
    image = {"x": np.arange(6).reshape(1, 1, 2, 3).astype(dtype)}
    return one("Upsample", image, {"s": np.float32([1, 1, 2, 2])}, opset=9, mode="nearest")


def chosen(op):
    """An If that gives an image as it is, or with an axis more, or two copies one below the other."""
    other = {"Unsqueeze": (["x"], {"axes": [0]}), "Concat": (["x", "x"], {"axis": 0})}[op]
    nodes = {
        "then": helper.make_node("Relu", ["x"], ["then"]), "else": helper.make_node(op, other[0], ["else"], **other[1])
    }  # fmt: skip
    branches = {
        f"{name}_branch": helper.make_graph([node], name, [], [helper.make_tensor_value_info(name, 1, None)])
        for name, node in nodes.items()
    }
    feeds = {"c": np.array(True), "x": x(2, 3)}
    node = helper.make_node("If", ["c"], ["y"], **branches)
    return graph([node], feeds, outputs={"y": None}, opset=11, ir_version=8), feeds


def repeated(condition):
    """A Loop without a state that collects an image three times, or never."""
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["on"]), helper.make_node("Relu", ["x"], ["part"])], "body",
        [helper.make_tensor_value_info(*value) for value in (("i", 7, ()), ("go", 9, ()))],
        [helper.make_tensor_value_info(*value) for value in (("on", 9, ()), ("part", 1, (2, 3)))],
    )  # fmt: skip
    return one("Loop", {"x": x(2, 3)}, {"n": np.array(3), "c": np.array(condition)}, inputs="n,c", body=body)


def aligned(**attributes):
    boxes = {"b": np.array([[0, 0, 7, 7]], np.float32), "i": ints(0)}
    return one("RoiAlign", {"x": x(1, 2, 8, 8)}, boxes, opset=16, output_height=2, output_width=2, **attributes)


def blank(outputs):
    zeros = {"x": np.zeros((1, 1, 3, 3), np.uint8)}
    return one("MaxPool", zeros, opset=22, outputs=outputs, kernel_shape=[2, 2], pads=[1, 1, 0, 0])


def rms(dtype):
    return one("RMSNormalization", {"x": x(3, 4).astype(dtype)}, {"g": np.ones(4, dtype)}, opset=23)


COUNTED = {"count_include_pad": 1, "ceil_mode": 1, "strides": [2, 2], "pads": [0, 1, 1, 0]}


def on_a_constant(op):
    """What an op makes of two constants, added to the feed."""
    nodes = [helper.make_node(op, ["c", "w"], ["p"]), helper.make_node("Add", ["x", "p"], ["y"])]
    feeds = {"x": x(1, 4, 5, 6)}
    constants = {"c": x(1, 4, 5, 6), "w": x(4, 4, 1, 1) if op == "Conv" else x(6, 6)}
    model = graph(nodes, feeds, constants, outputs={"y": None}, opset=13, ir_version=8, initializers_are_inputs=False)
    return models.infer_shapes(model), feeds


def column(width):
    """A Resize of what a Conv makes of an image of 7 rows."""
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]), helper.make_node("Resize", ["c", "", "s"], ["y"], mode="linear")
    ]  # fmt: skip
    feeds, constants = {"x": x(1, 16, 7, width)}, {"w": x(16, 16, 1, 1), "s": np.float32([1, 1, 2, 8])}
    model = graph(nodes, feeds, constants, outputs={"y": None}, opset=13, ir_version=8, initializers_are_inputs=False)
    return models.infer_shapes(model), feeds


def attended(*, fed):
    queries, keys = {"q": x(1, 1, 4, 8)}, {name: x(1, 1, 4, 8) for name in "kv"}
    return one("Attention", queries | keys, {}, opset=23) if fed else one("Attention", queries, keys, opset=23)


def powers(base, exponent):
    return one("Pow", {"x": np.array([1, 2, 3], base)}, {"n": np.array([2, 2, 2], exponent)})


def batched_product(*batches):
    """A product of matrices with two constant ones."""
    return one("MatMul", {"x": x(*batches, 2, 3)}, {"w": x(2, 3, 2)})


CASES = {
    (OPENCV, "Softplus"): (one("Softplus", {"x": LARGE}), one("Relu", {"x": LARGE})),
    (OPENCV, "PRelu"): (prelu(5), prelu(3, 1, 1)),
    (OPENCV, "Resize"): (resize(0.7, mode="linear"), resize(0.6, mode="linear")),
    (OPENCV, "ceil"): (
        pool("MaxPool", ceil_mode=1, strides=[3, 3], pads=[0, 0, 1, 1]), pool("MaxPool", ceil_mode=1, strides=[2, 2])
    ),
    (OPENCV, "ConvTranspose SAME"): (transposed(auto_pad="SAME_UPPER"), transposed(pads=[1, 0, 1, 0])),
    (OPENCV, "output_shape"): (transposed(output_shape=[7, 9]), transposed()),
    (OPENCV, "DFT"): (dft(2), one("Relu", {"x": LARGE})),
    (OPENCV, "Sin of float64"): (one("Sin", {"x": 1e9 * x(3, 4).astype(np.float64)}), one("Sin", {"x": x(3, 4)})),
    (OPENCV, "BitShift"): (
        one("BitShift", {"x": x(2, 3, 4).astype(np.uint8), "s": np.ones(4, np.uint8)}, direction="LEFT"), mod(3, 5)
    ),
    (OPENCV, "Split"): (one("Split", {"x": x(4, 3)}, outputs=2), one("Split", {"x": x(4, 3)}, outputs=2, axis=0)),
    (OPENCV, "Pad of six dimensions"): (
        one("Pad", {"x": x(1, 2, 1, 2, 3, 2)}, {"p": ints(*[0] * 11, 1)}),
        one("Pad", {"x": x(1, 2, 1, 2, 3)}, {"p": ints(*[0] * 9, 1)}),
    ),
    (OPENCV, "MaxUnpool"): (unpooled(3), pooled(1)),
    (OPENCV, "MaxUnpool of channels"): (unpooled(3, 2, channels=2), pooled(1)),
    (OPENCV, "QLinearConv"): (biased(), one("Conv", {"x": x(1, 2, 3, 4)}, {"w": x(3, 2, 1, 1)})),
    (OPENCV, "negative index that is computed"): (gather_by(-1), gather_nd(1)),
    **{
        (OPENCV, f"{op} of uint32"): (moved(op, np.uint32), moved(op, np.int32))
        for op in ("GatherElements", "ScatterElements", "ScatterND")
    },
    (OPENCV, "Cast to uint32"): (one("Cast", {"x": x(2, 3)}, to=12), one("Cast", {"x": x(2, 3)}, to=6)),
    (OPENCV, "RMSNormalization of float64"): (rms(np.float64), rms(np.float32)),
    (OPENCV, "MaxPool indices"): (
        one("MaxPool", {"x": x(2, 3, 7, 8)}, outputs=2, kernel_shape=[2, 2], strides=[2, 2]),
        one("MaxPool", {"x": x(2, 3, 7, 8)}, kernel_shape=[2, 2], strides=[2, 2]),
    ),
    (OPENCV, "bicubic"): (samples("bicubic"), samples("bilinear")),
    (OPENCV, "reverse"): (recurrent("GRU", direction="reverse"), recurrent("GRU")),
    (OPENCV, "clip"): (recurrent("LSTM", clip=0.3), recurrent("LSTM")),
    (OPENVINO, "beta of 0"): (
        one("HardSigmoid", {"x": x(2, 8)}, beta=0.0), one("HardSigmoid", {"x": x(2, 8)}, beta=0.1)
    ),
    (OPENVINO, "gamma of 0"): (one("Selu", {"x": x(2, 8)}, gamma=0.0), one("Selu", {"x": x(2, 8)}, gamma=0.1)),
    (OPENVINO, "activations"): (recurrent("RNN", activations=["Softsign"]), recurrent("RNN", activations=["Relu"])),
    (OPENVINO, "input_forget"): (recurrent("LSTM", input_forget=1), recurrent("LSTM", clip=0.3)),
    (OPENVINO, "peepholes"): (peepholes(True), peepholes(False)),
    (OPENCV, "MatMul"): (
        one("MatMul", {"x": x(2, 3, 4), "y": x(4)}), one("MatMul", {"x": x(2, 3, 4), "y": x(4, 1)})
    ),
    (OPENCV, "Softmax"): (softmax("Hardmax", 11, 1), softmax("Hardmax", 11, 2)),
    (OPENVINO, "Softmax"): (softmax("Softmax", 12, 1), softmax("Softmax", 10, 1)),
    (OPENVINO, "If"): (decided(1, 1), decided(1)),
    (OPENVINO, "computed axes"): (
        one("ReduceSum", {"x": x(2, 3, 4, 5), "a": ints(2, 3)}, keepdims=0),
        one("ReduceSum", {"x": x(2, 3, 4, 5)}, {"a": ints(2, 3)}, keepdims=0),
    ),
    (OPENVINO, "computed repeats"): (
        one("Tile", {"x": x(2, 3, 5, 7), "r": ints(2, 2, 2, 2)}),
        one("Tile", {"x": x(2, 3, 5, 7)}, {"r": ints(2, 2, 2, 2)}),
    ),
    (OPENVINO, "GridSample of volumes"): (
        one("GridSample", {"x": x(1, 2, 3, 4, 5)}, {"g": x(1, 2, 2, 2, 3)}, opset=20),
        one("GridSample", {"x": x(1, 2, 3, 4)}, {"g": x(1, 2, 2, 2)}, opset=20),
    ),
    (OPENVINO, "AffineGrid"): (
        one("AffineGrid", {"t": x(1, 2, 3)}, {"s": ints(1, 1, 1, 2)}, opset=20, align_corners=1),
        one("AffineGrid", {"t": x(1, 2, 3)}, {"s": ints(1, 1, 1, 2)}, opset=20),
    ),
    (OPENVINO, "NonMaxSuppression"): (suppressed(), suppressed(np.float32(0.5))),
    (OPENVINO, "RoiAlign"): (aligned(), aligned(sampling_ratio=2)),
    (OPENVINO, "indices of uint8"): (blank(outputs=2), blank(outputs=1)),
    (TRACT, "indices of uint8"): (blank(outputs=2), blank(outputs=1)),
    (OPENVINO, "Sin of float64"): (one("Sin", {"x": 1e9 * x(3, 4).astype(np.float64)}), one("Sin", {"x": x(3, 4)})),
    (OPENVINO, "wrap"): (pad("wrap", 0, 0, 0, 1, 0, 0, 1, 0), pad("edge", 0, 0, 0, 1, 0, 0, 1, 0)),
    (OPENVINO, "DFT"): (dft(2), dft(axis=2)),
    (OPENVINO, "half DFT"): (dft(onesided=1), dft(inverse=0)),
    (OPENVINO, "GatherElements"): (gather_elements(2, 2), gather_elements(3, 2)),
    (OPENCV, "GatherElements"): (gather_elements(2, 2), gather_elements(3, 2)),
    (OPENCV, "GatherND"): (gather_nd(1, -1), gather_nd(1, 0)),
    (OPENCV, "Reshape"): (
        one("Reshape", {"x": x(2, 0, 3)}, {"s": ints(0, 2, 3)}, opset=14, allowzero=1),
        one("Reshape", {"x": x(3, 4)}, {"s": ints(4, -1)}, opset=14, allowzero=1),
    ),
    (OPENCV, "nine taps"): (conv(1, 9), conv(1, 8)),
    (OPENCV, "SAME"): (
        conv(3, 3, strides=[2, 2], auto_pad="SAME_UPPER"), conv(3, 3, strides=[2, 2], auto_pad="SAME_LOWER")
    ),
    (OPENCV, "Sum"): (terms(4), terms(3)),
    (OPENCV, "volumes"): (one("GlobalMaxPool", {"x": x(1, 2, 3, 4, 5)}), one("GlobalMaxPool", {"x": x(1, 2, 3, 4)})),
    (OPENCV, "Shrink"): (one("Shrink", {"x": ints(1, 2)}), one("Shrink", {"x": x(3)})),
    (OPENCV, "empty constants"): (
        one("Not", {}, {"x": np.zeros((0, 3), bool)}), one("Not", {}, {"x": np.zeros((1, 3), bool)})
    ),
    (OPENCV, "exponent of more axes"): (
        one("Pow", {"x": x(3, 2)}, {"n": np.full((1, 1, 1), 2, np.float32)}),
        one("Pow", {"x": x(3, 2)}, {"n": np.full((1, 1), 2, np.float32)}),
    ),
    (OPENCV, "constant keys"): (attended(fed=False), attended(fed=True)),
    (OPENCV, "powers of another type"): (powers(np.float64, np.float32), powers(np.float64, np.int32)),
    (OPENCV, "Flatten of a scalar"): (
        one("Flatten", {"x": np.float32(2)}, axis=0), one("Flatten", {"x": x(1)}, axis=0)
    ),
    (OPENCV, "repeated matrices"): (batched_product(3, 2), batched_product(1, 2)),
    (OPENCV, "wrap"): (pad("wrap", 0, 0, 0, -1, 0, 0, 0, 2), pad("wrap", 0, 0, 0, -1, 0, 0, 0, 0)),
    (OPENCV, "no axes"): (
        one("ReduceL1", {"x": x(3, 4)}, opset=18, noop_with_empty_axes=1), one("ReduceL1", {"x": x(3, 4)}, opset=18)
    ),
    (OPENCV, "axes"): (
        one("ReduceL2", {"x": x(1, 3, 5, 7, 5)}, axes=[1, 2, 3]),
        one("ReduceL2", {"x": x(1, 3, 5, 7, 5)}, axes=[0, 1, 2]),
    ),
    (OPENCV, "all axes of float64"): (
        one("ReduceMin", {"x": x(5, 7).astype(np.float64)}, axes=[0, 1]), one("ReduceMin", {"x": x(5, 7)}, axes=[0, 1])
    ),
    (OPENCV, "the last axes of int64"): (
        one("ReduceSum", {"x": np.arange(210).reshape(2, 3, 5, 7)}, {"a": ints(1, 2, 3)}),
        one("ReduceSum", {"x": np.arange(210).reshape(3, 2, 5, 7)}, {"a": ints(1, 2, 3)}),
    ),
    (OPENCV, "single column"): (
        one("QuantizeLinear", {"x": x(3, 1)}, {"s": np.float32(0.05), "z": np.uint8(3)}),
        one("QuantizeLinear", {"x": x(3, 1)}, {"s": np.float32(0.05), "z": np.int8(3)}),
    ),
    (OPENCV, "single column of an image"): (
        one("QuantizeLinear", {"x": x(1, 1, 7, 1)}, {"s": np.float32([0.05]), "z": np.uint8([3])}, axis=-1),
        one("QuantizeLinear", {"x": x(1, 1, 1, 7)}, {"s": np.float32([0.05]), "z": np.uint8([3])}, axis=1),
    ),
    **{
        (OPENCV, f"EyeLike of {name}"): (
            one("EyeLike", {"x": np.zeros((4, 4), name)}), one("EyeLike", {"x": np.zeros((4, 4), "int64")})
        )
        for name in ("uint32", "uint64")
    },
    (OPENCV, "single column of products"): (multiplied(np.uint8), multiplied(np.int8)),
    (OPENCV, "ellipsis"): (
        one("Einsum", {"x": x(2, 5)}, {"w": x(5)}, equation="...i,i"),
        one("Einsum", {"x": x(2, 5)}, {"w": x(5)}, equation="...i,i->..."),
    ),
    (OPENCV, "sum to one number"): (
        one("Einsum", {"x": x(2, 5)}, equation="ij->"),
        one("Einsum", {"x": x(2, 5)}, {"w": x(2, 5)}, equation="ij,ij->")
    ),
    (OPENCV, "Expand"): (
        one("Expand", {"s": ints(0, 3, 5)}, {"x": np.zeros((0, 3, 1), np.float32)}, inputs="x,s"),
        one("Expand", {"s": ints(2, 3, 5)}, {"x": x(1, 3, 1)}, inputs="x,s"),
    ),
    (OPENCV, "norms of small numbers"): (
        one("LpNormalization", {"x": np.float32(1e-5) * x(3, 5)}), one("ReduceL2", {"x": np.float32(1e-5) * x(3, 5)}),
    ),
    (OPENCV, "nothing to computed sizes"): (resized_to_computed(0), resized_to_computed(2)),
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
    (OPENVINO, "LRN"): (one("LRN", {"x": x(1, 5, 3, 4)}, size=3, bias=0.1), one("LRN", {"x": x(1, 5, 3, 4)}, size=3)),
    (OPENVINO, "counted"): (pool("AveragePool", **COUNTED), pool("AveragePool", count_include_pad=1)),
    (OPENVINO, "normalized"): (
        one("MeanVarianceNormalization", {"x": x(2, 3, 7)}), one("MeanVarianceNormalization", {"x": x(2, 3, 7, 5)})
    ),
    (OPENVINO, "axes"): (
        one("ReduceL1", {"x": x(2, 3, 4)}, opset=13, axes=[1]), one("ReduceL1", {"x": x(2, 3, 4)}, opset=12, axes=[1])
    ),
    (OPENVINO, "Shrink"): (one("Shrink", {"x": ints(3, 4)}, bias=0.1), one("Shrink", {"x": x(3)}, bias=0.1)),
    (OPENVINO, "Upsample"): (upsampled(1, 1, 1.5, 1.7), upsampled(1, 1, 2, 3)),
    (OPENVINO, "batch"): (upsampled(2, 1, 1, 1), upsampled(1, 1, 2, 2)),
    (OPENVINO, "QLinearConv"): (quantized_conv(4), one("Conv", {"x": x(1, 3, 5, 6)}, {"w": x(4, 3, 3, 3)})),
    (OPENCV, "Upsample"): (upsampled(1, 1, 1.5, 1.7), upsampled(1, 1, 2, 3)),
    (OPENCV, "column"): (column(1), column(2)),
    (OPENCV, "constant image"): (on_a_constant("Conv"), on_a_constant("MatMul")),
    (OPENCV, "channels"): (upsampled(1, 2, 1, 1), upsampled(1, 1, 2, 2)),
    (OPENCV, "LogSoftmax"): (one("LogSoftmax", {"x": LARGE}), one("Softmax", {"x": LARGE})),
    (OPENCV, "batches"): (
        one("MatMul", {"x": x(2, 1, 3, 4)}, {"y": x(1, 5, 4, 6)}),
        one("MatMul", {"x": x(2, 1, 3, 4)}, {"y": x(2, 5, 4, 6)}),
    ),
    (OPENCV, "diagonal"): (
        one("Einsum", {"x": x(300, 300)}, equation="ii->i"), one("Einsum", {"x": x(300, 300)}, equation="ij->i")
    ),
    (OPENCV, "tall matrices"): (
        one("Trilu", {"x": x(9, 5)}, opset=14), one("Trilu", {"x": x(5, 9)}, opset=14)
    ),
    (OPENCV, "unlimited boxes"): (suppressed(limit=None), suppressed(0.5)),
    (OPENCV, "unstated limit"): (suppressed(0.5, limit=None), suppressed(0.5)),
    (OPENCV, "upsampled integers"): (enlarged(np.int32), enlarged(np.uint8)),
    (OPENCV, "Exp of float64"): (
        one("Exp", {"x": np.array([90.0])}), one("Exp", {"x": np.array([8], np.float32)})
    ),
    (OPENVINO, "ties of Hardmax"): (
        one("Hardmax", {"x": np.resize(LARGE, (4, 64))}), one("Softmax", {"x": x(4, 64)})
    ),
    (OPENVINO, "empty constant"): (
        one("Identity", {}, {"c": np.zeros((0, 3), np.float32)}), one("Identity", {}, {"c": x(1, 3)})
    ),
    (OPENVINO, "windows"): (
        one("STFT", {"x": x(1, 64, 1)}, FRAMES, opset=17, onesided=0),
        one("STFT", {"x": x(1, 64, 1)}, FRAMES, opset=17, onesided=1),
    ),
    (OPENVINO, "branches"): (chosen("Unsqueeze"), chosen("Concat")),
    (OPENVINO, "no iteration"): (repeated(False), repeated(True)),
    (OPENVINO, "uneven parts"): (
        one("Split", {"x": x(3, 5)}, outputs=2, opset=18, axis=-1, num_outputs=2),
        one("Split", {"x": x(3, 6)}, outputs=2, opset=18, axis=-1, num_outputs=2),
    ),
    (OPENCV, "rotary"): (rotated("c", "s"), rotated("c")),
    (OPENCV, "rotary of constants"): (rotated("x", "c", "s"), rotated()),
    (OPENCV, "one point"): (corners(1), corners(0)),
    (OPENCV, "scalar"): (reduced_to(0, 1), reduced_to(1)),
    (OPENCV, "Pow"): (one("Pow", {"x": ints(3, 4)}, {"e": ints(3)}), one("Pow", {"x": x(2)}, {"e": np.float32([3])})),
    (OPENCV, "Clip"): (
        one("Clip", {"x": ints(3, 4)}, {"low": np.array(4)}),
        one("Clip", {"x": ints(3, 4).astype(np.int32)}, {"low": np.int32(4)}),
    ),
    (OPENCV, "crossed limits"): (
        one("Clip", {"x": x(2, 5)}, {"low": np.float32(2), "high": np.float32(1)}),
        one("Clip", {"x": x(2, 5)}, {"low": np.float32(1), "high": np.float32(2)}),
    ),
    (OPENVINO, "crop"): (cropped("tf_crop_and_resize"), cropped("half_pixel")),
    (OPENCV, "short integers"): (
        added(value_ints=[1, 2]), added(value=numpy_helper.from_array(ints(1, 2)))
    ),
    (OPENCV, "steps of doubles"): (stepped(np.float64), stepped(np.float32)),
    (OPENCV, "steps of uint64"): (stepped(np.uint64), stepped(np.int64)),
    (OPENCV, "linear of integers"): (doubled(np.uint8), doubled(np.float32)),
    (OPENCV, "Range of int16"): (numbered(np.int16), numbered(np.int32)),
    (OPENCV, "loss in float64"): (loss(np.float64), loss(np.float32)),
    (OPENCV, "Clip of uint32"): (
        one("Clip", {"x": np.array([3, 4], np.uint32)}, {"low": np.uint32(4)}),
        one("Clip", {"x": np.array([3, 4], np.uint16)}),
    ),
    (OPENVINO, "beyond int32"): (
        one("Add", {"x": ints(3)}, {"k": ints(2**40)}), one("Add", {"x": ints(3)}, {"k": ints(2)})
    ),
    (OPENVINO, "sums that round"): (shifted(12582912), shifted(2)),
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

CORRUPTS_MEMORY = {(OPENCV, "Sum")}
"""Cases after which the engine's process computes other models wrongly too."""
READS_BEYOND = {(OPENCV, "column")}
"""Cases that are wrong at times only, by what lies in the memory beyond their values."""


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("name", "fault"), CASES)
def test_a_fault_is_known_to_check_and_the_node_beside_it_is_right(name, fault):
    target = targets.load(name)
    (faulty, its_feeds), (right, feeds) = CASES[name, fault]
    assert is_right(right, feeds, name)
    assert targets.check(right, target), targets.check(right, target).table.reason.to_list()
    is_wrong = not is_right(faulty, its_feeds, name, ends_process=(name, fault) in CORRUPTS_MEMORY)
    assert is_wrong or (name, fault) in READS_BEYOND
    assert not targets.check(faulty, target)


@pytest.mark.parametrize("direction", ["forward", "bidirectional"])
def test_a_gru_that_names_its_sequence_alone_is_given_a_name_for_its_last_state(direction):
    count = 1 + (direction == "bidirectional")
    weights = {"w": x(count, 12, 3), "r": x(count, 12, 4)}
    model, feeds = one("GRU", {"x": x(5, 2, 3)}, weights, opset=14, hidden_size=4, direction=direction)
    assert not targets.check(model, targets.load(OPENCV))
    lowered = lower(model, targets.load(OPENCV))
    assert lowered, lowered.refused.to_string()
    assert is_right(lowered.model, feeds, OPENCV)
