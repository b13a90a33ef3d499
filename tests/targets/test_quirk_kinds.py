"""Every kind of quirk is used, documented by an example that is valid, and matches the nodes that it says."""

import dataclasses
import tomllib

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import AttributeProto, TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.opset.spec import NodeSpec
from fns_lab.targets import Quirk, docs
from fns_lab.targets.checking import as_converted
from fns_lab.targets.quirk_kinds import QUIRK_KINDS, SOLVED_WITHOUT_RULES, touches
from fns_lab.targets.target import FOLDER
from tests.rewrite.graphs import model, node, values

SHIPPED = [
    quirk
    for path in sorted(FOLDER.rglob("*.toml"))
    for quirk in tomllib.loads(path.read_text(encoding="utf-8")).get("quirk", ())
]


def test_the_kinds_of_the_registry_are_those_of_the_files():
    used = [part["kind"] for quirk in SHIPPED for part in (quirk, *quirk.get("of", ()))]
    assert set(used) == set(QUIRK_KINDS)
    assert set(QUIRK_KINDS) > SOLVED_WITHOUT_RULES


def test_no_two_kinds_share_a_function():
    assert len(set(QUIRK_KINDS.values())) == len(QUIRK_KINDS)


SHAPE = (2, 4, 6, 8)
W, GROUPED_W = values(3, 4, 3, 3), values(4, 2, 3, 3)
RESHAPED = node("Flatten", "x", "r", axis=3)
LOG_SUM = node("Exp", "x", "e"), node("ReduceSum", "e", "s"), node("Log", "s", "l")


def one(op_type, *nodes, constants=None, shape=SHAPE, opset=13, inputs=None, **attributes):
    """The model in which `y` is computed by this op, from `x` and the constants unless other inputs are named."""
    inputs = ["x", *(constants or {})] if inputs is None else inputs.split(",")
    return model([*nodes, node(op_type, *inputs, "y", **attributes)], shape, constants, opset=opset)


def parts(count):
    names = ["y", *(f"y{i}" for i in range(1, count))]
    return model([helper.make_node("Split", ["x"], names, axis=0)], (count, 3))


def stepped(axis):
    """A step along an axis of (4, 2, 6, 8), of which a Reshape makes the first two of those of `x`."""
    nodes = node("Reshape", "x", "sizes", "r"), node("Relu", "r", "i")
    limits = {"s": np.array([0]), "e": np.array([9]), "a": np.array([axis]), "t": np.array([2])}
    constants = {"sizes": np.array([4, 2, 6, 8])} | limits
    return one("Slice", *nodes, inputs="i,s,e,a,t", constants=constants)


def scaled(to):
    constant = helper.make_node("Constant", [], ["c"], value=numpy_helper.from_array(np.float32(2)))
    return one("Cast", constant, node("Mul", "x", "c", "m"), inputs="m", to=to)


def column(width):
    nodes = node("Conv", "x", "w", "c"), node("Relu", "c", "r")
    return one("Resize", *nodes, inputs="r", constants={"w": values(3, 4, 6, 9 - width)})


def beside(other):
    """A GroupNormalization, and a product of its result with a function of `x` or of the result."""
    proto = one("GroupNormalization", constants={"s": values(4), "b": values(4)}, opset=21, num_groups=2)
    proto.graph.node.extend([node("Neg", other, "n"), node("Mul", "y", "n", "m")])
    return proto


def attention(outputs, queries=3, past=True, **attributes):
    inputs = ["q", "x", "x", *(("", "k", "v") if past else ())]
    only = helper.make_node("Attention", inputs, outputs.split(","), **attributes)
    return model(
        [only], SHAPE, {"q": values(2, 4, queries, 8), "k": values(2, 4, 5, 8), "v": values(2, 4, 5, 8)}, opset=23
    )


def masked(columns):
    only = helper.make_node("Attention", ["q", "x", "x", "m"], ["y"])
    return model([only], SHAPE, {"q": values(2, 4, 3, 8), "m": values(3, columns)}, opset=24)


def transposed(**attributes):
    return one("ConvTranspose", constants={"w": W}, strides=[2, 2], **attributes)


def chosen(shape):
    """The model of an If whose second branch gives a constant of this shape, the first one of (4, 8)."""
    branches = {
        f"{name}_branch": helper.make_graph(
            [helper.make_node("Constant", [], [name], value=numpy_helper.from_array(values(*size)))],
            name, [], [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)],
        )
        for name, size in (("then", (4, 8)), ("else", shape))
    }  # fmt: skip
    return model([node("If", "c", "y", **branches)], SHAPE, {"c": np.array(True)})


def looped(condition):
    body = helper.make_graph(
        [node("Identity", "go", "on"), node("Relu", "s", "t")], "body",
        [helper.make_tensor_value_info(*value) for value in (("i", 7, ()), ("go", 9, ()), ("s", 1, SHAPE))],
        [helper.make_tensor_value_info(*value) for value in (("on", 9, ()), ("t", 1, SHAPE))],
    )  # fmt: skip
    return one("Loop", inputs="n,c,x", constants={"n": np.array(3), "c": np.array(condition)}, body=body)


def scanned(added):
    """A Scan along the batch, whose body adds two values, of which `w` is an outer one."""
    body = helper.make_graph(
        [node("Add", *added.split(","), "t")], "body", [helper.make_tensor_value_info("s", 1, SHAPE[1:])],
        [helper.make_tensor_value_info("t", 1, SHAPE[1:])],
    )  # fmt: skip
    return one("Scan", node("Relu", "x", "w"), inputs="x", body=body, num_scan_inputs=1)


def cell(batch):
    proto = one("LSTM", constants={"w": values(1, 16, 3), "r": values(1, 16, 4)}, shape=(5, batch, 3), hidden_size=4)
    proto.graph.node[0].output.extend(["h", "c"])
    return proto


def no_axes():
    proto = one("ReduceMean")
    proto.graph.node[0].attribute.append(helper.make_attribute("axes", [], attr_type=AttributeProto.INTS))
    return proto


QUANTIZERS = {"s": np.float32(1), "z": np.uint8(0)}
DEQUANTIZED = node("QuantizeLinear", "x", "s", "z", "q"), node("DequantizeLinear", "q", "s", "z", "d")


def quantized(op_type):
    """The graph's output is that of `op_type`, which QuantizeLinear reads as well."""
    around = [
        *DEQUANTIZED, *([node("Relu", "d", "r")] if op_type == "Relu" else []),
        node("QuantizeLinear", "y", "s", "z", "p"),
    ]  # fmt: skip
    return one("Softmax", *around, constants=QUANTIZERS, inputs="r" if op_type == "Relu" else "d")


def quantized_alone(*shape):
    proto = one("QuantizeLinear", constants={"s": np.float32(1), "z": np.uint8(0)}, shape=shape)
    proto.graph.output[0].ClearField("type")
    return onnx.shape_inference.infer_shapes(proto)


def dropped(trained):
    return one("Dropout", constants={"r": np.float32(0.5), "t": np.array(trained)})


def wrapped(begin, end):
    return one("Pad", constants={"p": np.array([0, 0, 0, begin, 0, 0, 0, end])}, mode="wrap", opset=19)


def reshaped(sizes):
    """The model in which x is reshaped to these sizes; it reshapes `s` to `r` as well."""
    proto = one("Reshape", node("Reshape", "s", "n", "r"), inputs=f"x,{sizes}", constants={"s": np.array(SHAPE),
                "n": np.array([4])})  # fmt: skip
    proto.graph.output[0].CopyFrom(helper.make_tensor_value_info("y", TensorProto.FLOAT, SHAPE))
    return proto


def attended(divisor):
    """The model in which `y` is the product of an attention's weights and values; its scores are divided by this."""
    nodes = []
    for name, weights in zip("qkv", "abc", strict=True):
        nodes += [node("MatMul", "x", weights, f"{name}1"), node("Reshape", f"{name}1", "heads", f"{name}2")]
        nodes.append(node("Transpose", f"{name}2", name, perm=[0, 2, 3, 1] if name == "k" else [0, 2, 1, 3]))
    nodes += [node("MatMul", "q", "k", "s"), node("Div", "s", "two", "d"), node("Softmax", "d", "p", axis=-1)]
    after = node("Transpose", "y", "t", perm=[0, 2, 1, 3]), node("Reshape", "t", "whole", "z")
    constants = {name: values(8, 8) for name in "abc"} | {"two": divisor}
    constants |= {"heads": np.array([2, 5, 2, 4]), "whole": np.array([2, 5, 8])}
    return one("MatMul", *nodes, *after, inputs="p,v", constants=constants, shape=(2, 5, 8))


def resized_by_way_of(only):
    """The model of a Reshape to a shape that is the free one, after this node."""
    last = node("Cast", "r", "q", to=7)
    return one("Reshape", node("Shape", "x", "s"), only, last, inputs="x,q", constants={"one": np.array([1])},
               shape=("n", 4))  # fmt: skip


def product_of_repeated(name):
    """The model of a product by a constant of a value of this name, repeated as often as a free size."""
    nodes = node("Shape", "x", "s"), node("Expand", name, "s", "r")
    return one("MatMul", *nodes, inputs="r,w", constants={"c": values(1, 8), "w": values(8, 8)}, shape=("n", 8))


def reshaped_twice(*sizes, order=(0, 1, 2)):
    nodes = node("Reshape", "x", "s", "r"), node("Transpose", "r", "o", perm=order)
    return one("Reshape", *nodes, inputs="o,t", constants={"s": np.array([8, 6, 8]), "t": np.array(sizes)})


def padded_pool(before="Neg"):
    """The model of a MaxPool of the result of this op, padded with zeros."""
    nodes = node(before, "x", "r"), node("Pad", "r", "p", "q")
    return one("MaxPool", *nodes, inputs="q", constants={"p": np.array([0, 0, 1, 1] * 2)}, kernel_shape=[3, 3])


def gated(activation, shape=(3, 1, 8)):
    weights = {"w": values(1, 6, 8), "r": values(1, 6, 2)}
    return one("GRU", constants=weights, shape=shape, hidden_size=2, activations=["Sigmoid", activation])


def reduced(axes, shape=(3, *SHAPE[1:])):
    return one("ReduceMean", axes=axes, shape=shape)


def normalized(computed):
    nodes = [node("GlobalAveragePool", "x", "r")] if computed else []
    constants = {name: values(4) for name in "gbmv"}
    inputs = "x,g,b,r,v" if computed else None
    return one("BatchNormalization", *nodes, constants=constants, inputs=inputs)


def sliced(step, start=0):
    constants = {name: np.array([number]) for name, number in zip("seat", (start, 4, 3, step), strict=True)}
    return one("Slice", constants=constants)


def cast_and(*readers):
    """The model in which `y` is x cast to int64, and these nodes read it."""
    proto = model([node("Cast", "x", "y", to=TensorProto.INT64), *readers], SHAPE)
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    del proto.graph.value_info[:]
    return onnx.shape_inference.infer_shapes(proto)


def resized(scale):
    return one("Resize", constants={"s": np.array([1, 1, scale, 1], np.float32)}, inputs="x,,s", mode="linear")


def filled(value):
    proto = one("ConstantOfShape", value=numpy_helper.from_array(value), constants={"s": np.array([2])}, inputs="s")
    proto.graph.output[0].type.tensor_type.elem_type = helper.np_dtype_to_tensor_dtype(value.dtype)
    return proto


def weighted(op_type, **attributes):
    constants = {"w": np.ones((8, 8), np.int8), "s": np.float32(0.5)}
    nodes = [node("DequantizeLinear", "w", "s", "y"), node(op_type, "x", "y", "z", **attributes)]
    return model(nodes, (3, 8), constants, opset=13)


def log_of_sum(number):
    return one(
        "Log", node("Exp", "x", "e"), node("Add", "n", "e", "a"), constants={"n": np.float32(number)}, inputs="a"
    )


def shares(keepdims):
    sums = node("Exp", "x", "e"), node("ReduceSum", "e", "a", "s", keepdims=keepdims)
    return one("Div", *sums, constants={"a": np.array([0])}, inputs="e,s")


def moment(power):
    nodes = (
        node("ReduceMean", "x", "m"),
        node("Sub", "x", "m", "d"),
        node("Pow", "d", "n", "y"),
        node("ReduceMean", "y", "v"),
    )
    return model([*nodes], SHAPE, {"n": np.float32(power)}, opset=13)


def gathered(*indices):
    """The model in which Gather nodes take elements of an axis of two: of -1, the last, and of these others."""
    last = node("Gather", "x", "i", "y", axis=1)
    others = [node("Gather", "x", f"i{n}", f"y{n}", axis=1) for n in range(len(indices))]
    constants = {"i": np.array([-1]), **{f"i{n}": np.array([index]) for n, index in enumerate(indices)}}
    return model([last, *others], (3, 2), constants)


def split(outputs):
    proto = one("Split", constants={"l": np.array([1] * (outputs.count(",") + 1))}, axis=1)
    del proto.graph.node[0].output[:]
    proto.graph.node[0].output.extend(outputs.split(","))
    return proto


def with_mask():
    proto = one("Dropout", opset=12)
    proto.graph.node[0].output.append("mask")
    return proto


def recurrent(op, inputs, outputs):
    proto = model([node(op, *inputs.split(","), "y", hidden_size=2)], (3, 2, 2), {"w": values(1, 8, 2)})
    proto.graph.node[0].output[:] = outputs.split(",")
    return proto


CONV, OTHER = (node("Conv", "x", "w", y) for y in "cd")
NORM = {"w": W} | {name: values(3) for name in "gbmv"}
SWISH = [CONV, node("Sigmoid", "c", "s"), node("Mul", "c", "s", "a")]
SHIFT = [node("ReduceMax", "x", "m", axes=[3]), node("Sub", "x", "m", "r")]
TO_INT64 = node("Cast", "x", "i", to=7)
CENTRED = [node("ReduceMean", "x", "m", axes=[3]), node("Sub", "x", "m", "r")]
POWERS = {"e": np.array([2], np.float32)}


def size_given_out(axis):
    """A size of an input whose second one is free."""
    index = {"i": np.array(axis)}
    proto = one("Gather", node("Shape", "x", "s"), inputs="s,i", constants=index, shape=(2, "c"))
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.INT64
    return proto


MATCHES = {
    "broken-op": (one("Resize", constants={"r": values(0), "s": np.ones(4, np.float32)}), one("Relu")),
    "reads-older-opset": (
        one("Squeeze", constants={"a": np.array([0])}, shape=(1, 3)), one("Squeeze", axes=[0], shape=(1, 3), opset=11)
    ),
    "attribute": (
        one("Conv", constants={"w": W}, auto_pad="SAME_LOWER"), one("Conv", constants={"w": W}, auto_pad="SAME_UPPER")
    ),
    "unstated": (
        one("Resize", constants={"s": np.ones(4, np.float32)}, inputs="x,,s"), resized(1)
    ),
    "infinite-number": (
        one("Clip", min=-np.inf, max=1.0, opset=7), one("Clip", constants={"low": np.float32(0), "high": np.float32(1)})
    ),
    "auto-pad": (one("Conv", constants={"w": W}, auto_pad="SAME_UPPER"), one("Conv", constants={"w": W})),
    "grouped": (one("Conv", constants={"w": GROUPED_W}, group=2), one("Conv", constants={"w": W})),
    "grouped-wide": (
        one("Conv", constants={"w": GROUPED_W[:, :1]}, group=2), one("Conv", constants={"w": GROUPED_W[:, :1]}, group=4)
    ),
    "channels-by-three": (
        one("Conv", constants={"w": values(4, 9, 3, 3)}, shape=(1, 9, 6, 8)), one("Conv", constants={"w": W})
    ),
    "uneven-groups": (
        one("Conv", constants={"w": values(10, 2, 3, 3)}, group=2),
        one("Conv", constants={"w": values(8, 2, 3, 3)}, group=2),
    ),
    "nine-taps": (
        one("Conv", constants={"w": values(4, 4, 1, 9)}), one("Conv", constants={"w": values(4, 1, 1, 9)}, group=4)
    ),
    "padded-points": (
        one("Conv", constants={"w": W[:, :, :1, :1]}, pads=[0, 1, 0, 0]), one("Conv", constants={"w": W}, pads=[1] * 4)
    ),
    "off-centre-same": (
        one("Conv", constants={"w": W}, auto_pad="SAME_UPPER", strides=[1, 2]),
        one("Conv", constants={"w": W}, auto_pad="SAME_UPPER"),
    ),
    "unread-end": (
        one("MaxPool", kernel_shape=[1, 1], strides=[2, 2], auto_pad="SAME_UPPER"),
        one("MaxPool", kernel_shape=[2, 1], strides=[2, 1], auto_pad="SAME_UPPER"),
    ),
    "unread-start": (
        one("AveragePool", kernel_shape=[1, 1], strides=[3, 3], auto_pad="SAME_UPPER"),
        one("AveragePool", kernel_shape=[1, 1], strides=[2, 2], auto_pad="SAME_UPPER"),
    ),
    "cropped-to-shape": (transposed(output_shape=[11, 17]), transposed(output_shape=[13, 17])),
    "unevenly-cropped": (
        transposed(output_shape=[12, 16], auto_pad="SAME_UPPER"),
        transposed(output_shape=[11, 15], auto_pad="SAME_UPPER"),
    ),
    "enlarged-same": (
        transposed(auto_pad="SAME_UPPER", output_padding=[1, 1]), transposed(auto_pad="SAME_UPPER")
    ),
    "grouped-volumes": (
        one("Conv", constants={"w": values(4, 2, 2, 2, 2)}, shape=(1, 4, 5, 6, 7), group=2),
        one("Conv", constants={"w": values(4, 2, 2, 2)}, group=2),
    ),
    "packed-groups": (
        one("ConvTranspose", constants={"w": values(8, 1, 2, 2)}, shape=(1, 8, 5, 6), group=2),
        one("ConvTranspose", constants={"w": values(10, 1, 2, 2)}, shape=(1, 10, 5, 6), group=2),
    ),
    "last-axis-repeated": (
        one("Pow", constants={"e": values(6, 1)}, shape=(6, 8)), one("Pow", constants={"e": values(6, 1)}, shape=(6, 7))
    ),
    "all-of": (
        one("Conv", constants={"w": W}, dilations=[1, 2], auto_pad="SAME_UPPER"),
        one("Conv", constants={"w": W}, dilations=[1, 2]),
    ),
    "types-together": (
        one("OneHot", constants={"d": np.array(5), "v": np.array([0, 1], np.float32)}),
        one("OneHot", node("Cast", "x", "i", to=7), inputs="i,d,v",
            constants={"d": np.array(5), "v": np.array([0, 1], np.float32)}),
    ),
    "dilated": (one("Conv", constants={"w": W}, dilations=[1, 2]), one("Conv", constants={"w": W}, dilations=[1, 1])),
    "batch": (one("LRN", size=3), one("LRN", size=3, shape=(1, 4, 6, 8))),
    "batch-reduction": (reduced([0, 2, -1]), reduced([0, 2, 3], SHAPE)),
    "last-axes-reduction": (reduced([1, 2, -1], (2, 3, 4, 5)), reduced([1, 2, 3], (3, 2, 4, 5))),
    "rank": (one("BatchNormalization", constants={k: values(3) for k in "gbmv"}, shape=(2, 3)), normalized(False)),
    "computed-input": (normalized(True), normalized(False)),
    "negative-indices": (
        one("Gather", constants={"i": np.array([1, -1])}), one("Gather", constants={"i": np.array([1, 0])})
    ),
    "whole-attribute": (one("LeakyRelu", alpha=2.0), one("LeakyRelu", alpha=0.5)),
    "unsafe-indices": (
        one("Gather", node("Cast", "x", "i", to=7), inputs="x,i"),
        one("Gather", node("ArgMax", "x", "i"), inputs="x,i"),
    ),
    "single-input": (one("Concat", axis=0), one("Concat", axis=0, shape=(4,))),
    "scalar-output": (one("ReduceMax", keepdims=0), one("ReduceMax", keepdims=0, shape=(2, "n"), axes=[1])),
    "beyond-int32": (
        one("Slice", constants={"s": np.array([0]), "e": np.array([2**31])}),
        one("Slice", constants={"s": np.array([0]), "e": np.array([2**31 - 1])}),
    ),
    "scalar-indices": (one("Gather", constants={"i": np.array(1)}), one("Gather", constants={"i": np.array([1])})),
    "same-input-twice": (one("Mul", RESHAPED, inputs="r,r"), one("Mul", inputs="x,x")),
    "squared": (one("Mul", TO_INT64, inputs="i,i"), one("Mul", inputs="x,x")),
    "leads-to": (
        cast_and(node("Add", "y", "y", "s"), node("CumSum", "s", "x", "z")),
        cast_and(node("Cast", "y", "s", to=1), node("CumSum", "s", "x", "z")),
    ),
    "shared-input": (one("Flatten", node("Relu", "x", "r")), one("Flatten", node("Relu", "x", "r"), inputs="r")),
    "unstated-axes": (
        one("Squeeze", shape=(1, 3), opset=11), one("Squeeze", constants={"a": np.array([0])}, shape=(1, 3))
    ),
    "given-out-twice": (
        one("Identity", node("Relu", "x", "r"), node("Neg", "r", "n"), inputs="r"),
        one("Identity", node("Relu", "x", "r"), inputs="r"),
    ),
    "read-after": (one("Relu", RESHAPED, inputs="r"), one("Relu", node("Exp", "x", "r"), inputs="r")),
    "packed-weights": (
        one("Conv", node("Reshape", "w", "s", "k"), inputs="x,k", group=2,
            constants={"w": GROUPED_W.reshape(4, 18), "s": np.array([4, 2, 3, 3])}),
        one("Conv", constants={"w": GROUPED_W}, group=2),
    ),
    "packed-dense-weights": (
        one("Conv", node("Neg", "w", "k"), inputs="x,k", constants={"w": W}),
        one("Conv", node("Neg", "w", "k"), inputs="x,k", constants={"w": GROUPED_W}, group=2),
    ),
    "read-after-alike": (
        one("Add", RESHAPED, node("Exp", "r", "e"), inputs="e,r"),
        one("Add", RESHAPED, inputs="r,c", constants={"c": values(1)}),
    ),
    "scalar-read-after": (
        one("Add", node("Squeeze", "c", "r", axes=[0]), inputs="x,r", constants={"c": values(1)}, opset=11),
        one("Add", node("Squeeze", "c", "r", axes=[0]), inputs="r,r", constants={"c": values(1)}, opset=11),
    ),
    "unshifted": (one("Softmax"), one("Softmax", *SHIFT, inputs="r")),
    "rounds-by-sums": (
        one("Sub", node("Add", "x", "c", "r"), inputs="r,c", constants={"c": np.float32([12582912])}),
        one("Sub", node("Add", "x", "c", "r"), inputs="r,c", constants={"c": np.float32([3])}),
    ),
    "uncentred": (
        one("InstanceNormalization", *SHIFT, inputs="r,g,g", constants={"g": values(4)}),
        one("InstanceNormalization", *CENTRED, inputs="r,g,g", constants={"g": values(4)}),
    ),
    "unlimited": (one("Tanh"), one("Tanh", node("Clip", "x", "r"), inputs="r")),
    "untruncated": (one("Cast", to=9), one("Cast", node("Floor", "x", "r"), node("Relu", "y", "z"), inputs="r", to=6)),
    "dequantized": (
        one("MaxPool", *DEQUANTIZED, node("Relu", "d", "r"), inputs="r", constants=QUANTIZERS, kernel_shape=[2, 2]),
        one("MaxPool", *DEQUANTIZED, node("QuantizeLinear", "y", "s", "z", "p"), inputs="d", constants=QUANTIZERS,
            kernel_shape=[2, 2]),
    ),
    "between-quantizers": (quantized("Softmax"), quantized("Relu")),
    "broken-since": (
        one("Upsample", constants={"s": np.ones(4, np.float32)}, opset=9), one("Upsample", scales=[1.0] * 4, opset=7)
    ),
    "newer-attributes": (
        one("MaxPool", kernel_shape=[2, 2], dilations=[2, 2]), one("MaxPool", kernel_shape=[2, 2], dilations=[1, 1])
    ),
    "input-count": (one("Clip", constants={"low": np.float32(0)}), one("Clip")),
    "omitted-input": (
        one("Clip", constants={"high": np.float32(0)}, inputs="x,,high"), one("Clip", constants={"low": np.float32(0)})
    ),
    "size-of-shape": (one("Size", node("Shape", "x", "s"), inputs="s"), one("Size")),
    "many-inputs": (
        one("Concat", inputs=",".join("x" * 17), axis=0), one("Concat", inputs=",".join("x" * 16), axis=0)
    ),
    "many-outputs": (parts(8), parts(7)),
    "large-value": (one("Relu", shape=(2, 8192, 8192)), one("Relu", shape=(1, 8192, 8192))),
    "no-texture": (one("Relu", shape=(3, 8209)), one("Relu", shape=(3, 8191))),
    "extra-outputs": (
        with_mask(), one("MaxPool", kernel_shape=[2, 2])
    ),
    "branches-of-other-ranks": (chosen((1, 4, 8)), chosen((6, 8))),
    "branches-of-other-shapes": (chosen((6, 8)), chosen((4, 8))),
    "repeated-subscript": (
        one("Einsum", equation="...ii -> ...i", shape=(2, 5, 5)),
        one("Einsum", equation="...ij -> ...i", shape=(2, 5, 5)),
    ),
    "implicit-ellipsis": (
        one("Einsum", equation="...ij,jk", constants={"w": values(5, 4)}, shape=(2, 5, 5)),
        one("Einsum", equation="...ij,jk->...ik", constants={"w": values(5, 4)}, shape=(2, 5, 5)),
    ),
    "operand-ranks": (one("MatMul", constants={"b": values(8)}), one("MatMul", constants={"b": values(8, 2)})),
    "value-ranks": (
        one("Unsqueeze", axes=[0], shape=(1,) * 6, opset=11), one("Unsqueeze", axes=[0], shape=(1,) * 5, opset=11)
    ),
    "operand-types": (one("Pow", constants={"e": np.array([2])}), one("Pow", constants=POWERS)),
    "output-types": (filled(np.ones(1, np.int32)), filled(np.ones(1, np.float32))),
    "wider-second": (
        one("Pow", node("Cast", "x", "h", to=10), inputs="h,e", constants=POWERS), one("Pow", constants=POWERS)
    ),
    "cast-from-wider": (one("Cast", to=7), one("Cast", node("Cast", "x", "b", to=9), inputs="b", to=7)),
    "resized-channels": (
        one("Resize", inputs="x,,s", constants={"s": np.array([1, 2, 1, 1], np.float32)}), resized(2)
    ),
    "repeated-matrices": (
        one("MatMul", constants={"b": values(4, 8, 2)}, shape=(2, 4, 6, 8)),
        one("MatMul", constants={"b": values(3, 4, 8, 2)}, shape=(1, 4, 6, 8)),
    ),
    "empty-value": (one("Relu", shape=(0, 3)), one("Relu")),
    "empty-broadcast": (
        one("Add", constants={"c": values(8)}, shape=(0, 8)), one("Add", constants={"c": values(0, 8)}, shape=(0, 8))
    ),
    "steps": (sliced(2), sliced(1)),
    "steps-along-new-axis": (stepped(1), stepped(2)),
    "ends-before-start": (sliced(1, start=5), sliced(1, start=4)),
    "backwards-from-within": (sliced(-1, start=6), sliced(-1, start=7)),
    "joined-reshapes": (reshaped_twice(0, 2, -1), reshaped_twice(8, 2, -1)),
    "joined-padding": (padded_pool(), padded_pool("Relu")),
    "joined-attention": (attended(np.float32(2)), attended(values(5))),
    "other-activations": (gated("Elu"), gated("Relu")),
    "reshaped-sizes": (reshaped("r"), reshaped("s")),
    "limits-before-the-first": (sliced(1, start=-9), sliced(1, start=-1)),
    "given-input": (
        one("MaxUnpool", constants={"i": values(*SHAPE), "s": np.array(SHAPE)}, kernel_shape=[1, 1]),
        one("MaxUnpool", constants={"i": values(*SHAPE)}, kernel_shape=[1, 1]),
    ),
    "computed-inputs": (one("STFT", inputs="x,x,x"), one("STFT", constants={"s": np.array(2)}, inputs="x,s,,s")),
    "only-first-computed": (
        one("RotaryEmbedding", constants={"c": values(2, 4, 4), "s": values(2, 4, 4)}, opset=23),
        one("RotaryEmbedding", inputs="x,x,s", constants={"s": values(2, 4, 4)}, opset=23),
    ),
    "fewer-limits": (one("Slice", starts=[0], ends=[1], opset=9), one("Slice", starts=[0] * 4, ends=[1] * 4, opset=9)),
    "unnamed-output": (split("y,,z"), split("y,z")),
    "crossed-limits": (
        one("Clip", constants={"a": np.float32(2), "b": np.float32(1)}), one("Clip", opset=7, min=1.0, max=2.0)
    ),
    "zero-input": (
        one("NonMaxSuppression", inputs="x,x,m,o", constants={"m": np.array([3]), "o": np.float32(0)}),
        one("NonMaxSuppression", inputs="x,x,m,o", constants={"m": np.array([3]), "o": np.float32(0.5)}),
    ),
    "other-attribute": (one("Attention", inputs="x,x,x", softcap=2.0), one("Attention", inputs="x,x,x", softcap=0.0)),
    "attributes-together": (
        one("AveragePool", kernel_shape=[2, 2], ceil_mode=1, count_include_pad=1),
        one("AveragePool", kernel_shape=[2, 2], ceil_mode=1),
    ),
    "data-dependent-inputs": (
        one("Reshape", node("Cast", "x", "c", to=7), inputs="x,c", shape=(2, 3)),
        one("Reshape", node("Shape", "x", "c"), inputs="x,c"),
    ),
    "unsorted-axes": (
        one("Squeeze", axes=[2, 0], shape=(1, 3, 1), opset=11), one("Squeeze", axes=[0, 2], shape=(1, 3, 1), opset=11)
    ),
    "negative-axes": (
        one("Slice", axes=[-1], starts=[0], ends=[1], opset=9), one("Slice", axes=[3], starts=[0], ends=[1], opset=9)
    ),
    "scalar-over-axes": (
        one("ReduceMax", keepdims=0, axes=[0, 1, 2, 3], opset=13), one("ReduceMax", keepdims=0, opset=13)
    ),
    "empty-axes": (no_axes(), one("ReduceMean")),
    "attribute-with-input": (
        one("Pad", constants={"p": np.ones(8, np.int64), "v": np.float32(1)}, mode="edge"),
        one("Pad", constants={"p": np.ones(8, np.int64)}, mode="edge"),
    ),
    "attribute-with-rank": (
        one("Upsample", scales=[1.0, 1.0, 2.0], mode="linear", shape=SHAPE[:3], opset=7),
        one("Upsample", scales=[1.0, 1.0, 2.0, 2.0], mode="linear", opset=7),
    ),
    "noop-reduction": (one("ReduceL1", opset=18, noop_with_empty_axes=1), one("ReduceL1", opset=18)),
    "training": (dropped(True), dropped(False)),
    "reflected-ones": (
        one("Pad", shape=(1, 3, 7, 5), mode="reflect", pads=[0, 0, 1, 0] * 2, opset=2),
        one("Pad", shape=(1, 3, 7, 4), mode="reflect", pads=[0, 0, 1, 0] * 2, opset=2),
    ),
    "wrapped-and-cut": (wrapped(-1, 1), wrapped(-1, 0)),
    "wrapped-beyond": (wrapped(9, 0), wrapped(1, 9)),
    "negative-pads": (
        one("Pad", constants={"p": np.array([0, 1, 0, -1]), "v": np.float32(0), "a": np.array([2, 3])}, opset=18),
        one("Pad", pads=[0, 0, 1, 0] * 2, opset=2),
    ),
    "all-ranks": (one("MatMul", inputs="x,x", shape=(8,)), one("MatMul", constants={"b": values(8)})),
    "norm-after-activation": (
        one("BatchNormalization", *SWISH, constants=NORM, inputs="a,g,b,m,v"),
        one("BatchNormalization", CONV, node("Relu", "c", "a"), constants=NORM, inputs="a,g,b,m,v"),
    ),
    "activation-of-another": (
        one("Relu", CONV, OTHER, constants={"w": values(2, 3, 3, 3)}, inputs="c"),
        one("Relu", CONV, OTHER, node("Relu", "d", "r"), constants={"w": values(2, 3, 3, 3)}, inputs="c"),
    ),
    "fused-bias": (
        one("Add", node("MatMul", "x", "w", "p"), constants={"w": values(8, 6), "c": values(6, 1)}, inputs="p,c"),
        one("Add", node("MatMul", "x", "w", "p"), constants={"w": values(8, 5), "c": values(6, 1)}, inputs="c,p"),
    ),
    "dequantized-weights": (weighted("MatMul"), weighted("Gemm", transB=1)),
    "mistaken": (log_of_sum(2), log_of_sum(1)),
    "other-axes": (shares(keepdims=0), shares(keepdims=1)),
    "power-of-centred": (moment(4), moment(2)),
    "beside-another": (beside("x"), beside("y")),
    "cast-of-scaled": (scaled(6), scaled(1)),
    "scale-of-fewer-axes": (
        one("LayerNormalization", constants={"s": values(8)}, opset=17, axis=2),
        one("LayerNormalization", constants={"s": values(8)}, opset=17, axis=-1),
    ),
    "log-softmax-by-parts": (
        one("Sub", *LOG_SUM, inputs="x,l"), one("Sub", *LOG_SUM, inputs="s,l")
    ),
    "split-by-gathers": (gathered(0), gathered(1)),
    "single-output": (recurrent("GRU", "x,w,w", "y"), recurrent("GRU", "x,w,w", "y,h")),
    "second-output-left-out": (recurrent("LSTM", "x,w,w", "y,,c"), recurrent("LSTM", "x,w,w", "y,h,c")),
    "states-alike": (recurrent("LSTM", "x,w,w,,,x,x", "y"), recurrent("LSTM", "x,w,w,,,w,w", "y")),
    "given-apart": (recurrent("LSTM", "x,w,w,,,w,w", "y"), recurrent("LSTM", "x,w,w,w", "y")),
    "present-without-past": (attention("y,key,value", past=False), attention("y,key,value")),
    "past-without-present": (attention("y,key"), attention("y,key,value")),
    "single-causal-query": (attention("y", queries=1, is_causal=1), attention("y", queries=2, is_causal=1)),
    "mask-of-other-size": (masked(5), masked(6)),
    "complex-signal": (
        one("STFT", constants={"n": np.array(4), "w": values(8)}, shape=(1, 32, 2), opset=17),
        one("STFT", constants={"n": np.array(4), "w": values(8)}, shape=(1, 32, 1), opset=17),
    ),
    "stated-zero": (
        one("Reshape", constants={"s": np.array([0, 3])}, shape=(0, 4), opset=14, allowzero=1),
        one("Reshape", constants={"s": np.array([8, -1])}, opset=14, allowzero=1),
    ),
    "window-in-padding": (
        one("MaxPool", kernel_shape=[2, 2], strides=[3, 3], pads=[0, 0, 1, 1], ceil_mode=1),
        one("MaxPool", kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    ),
    "smaller-indices": (
        one("GatherElements", constants={"i": np.zeros((2, 1, 6, 8), np.int64)}, axis=2),
        one("GatherElements", constants={"i": np.zeros((2, 4, 1, 8), np.int64)}, axis=2),
    ),
    "broadcast-first": (one("Mod", inputs="c,x", constants={"c": values(8)}), one("Mod", constants={"c": values(8)})),
    "lower-rank-first": (
        one("Mean", inputs="c,x", constants={"c": values(8)}),
        one("Mean", inputs="c,x", constants={"c": values(1, 1, 1, 8)}),
    ),
    "result-of-nothing": (one("ReduceMax", axes=[0], shape=(0, 3)), one("ReduceMax", axes=[1], shape=(0, 3))),
    "tall-matrices": (one("Trilu", shape=(2, 7, 6), opset=14), one("Trilu", shape=(2, 6, 6), opset=14)),
    "uneven-parts": (
        one("Split", opset=18, axis=-1, num_outputs=3), one("Split", opset=18, axis=-1, num_outputs=4)
    ),
    "padded-at-end": (
        one("Conv", constants={"w": values(4, 4, 2, 2)}, pads=[0, 0, 1, 1], shape=(1, 4, 2, 2)),
        one("Conv", constants={"w": values(4, 4, 2, 2)}, pads=[0, 0, 1, 1], shape=(1, 4, 2, 3)),
    ),
    "single-column-after": (column(1), column(2)),
    "of-constants": (
        one("Conv", node("Neg", "c", "n"), inputs="n,w", constants={"c": values(2, 4, 6, 8), "w": W}),
        one("Conv", node("Add", "c", "x", "n"), inputs="n,w", constants={"c": values(2, 4, 6, 8), "w": W}),
    ),
    "single-row": (one("Resize", shape=(1, 2, 1, 7)), one("Resize", shape=(1, 2, 1, 1))),
    "flattened-unevenly": (
        one("Softmax", opset=11, axis=1, shape=(1, 1000, 1, 1)), one("Softmax", opset=11, axis=1, shape=(1, 1000))
    ),
    "single-element": (
        one("Pow", constants={"n": values(1, 1)}, shape=(2,)), one("Pow", constants={"n": values(1, 2)}, shape=(2,))
    ),
    "sliced-to-nothing": (
        one("Slice", axes=[2, 3], starts=[1, 1], ends=[3, 9], shape=(1, 4, 7, 1), opset=9),
        one("Slice", axes=[2, 3], starts=[1, 2], ends=[3, 9], shape=(1, 4, 7, 2), opset=9),
    ),
    "empty-part": (
        one("Split", opset=18, num_outputs=3, shape=(4,)), one("Split", opset=18, num_outputs=3, shape=(5,))
    ),
    "missing-part": (
        one("Split", opset=18, num_outputs=4, shape=(5,)), one("Split", opset=18, num_outputs=3, shape=(4,))
    ),
    "outer-values": (scanned("s,w"), scanned("s,s")),
    "several-numbers": (
        one("ConvInteger", inputs="x,w,,z", constants={"w": W, "z": np.zeros(3, np.uint8)}),
        one("ConvInteger", inputs="x,w,,z", constants={"w": W, "z": np.zeros(1, np.uint8)}),
    ),
    "no-step": (looped(False), looped(True)),
    "tied-pixels": (
        one("Resize", inputs="x,,,n", constants={"n": np.array([2, 4, 6, 14])}, shape=(2, 4, 6, 4), opset=19),
        one("Resize", inputs="x,,,n", constants={"n": np.array([2, 4, 6, 8])}, shape=(2, 4, 6, 4), opset=19),
    ),
    "cell-state-from-zero": (cell(2), cell(1)),
    "single-column": (quantized_alone(3, 1), quantized_alone(1, 3)),
    "no-window": (
        one("MaxPool", kernel_shape=[7, 1], strides=[2, 2], shape=(1, 1, 6, 8)), one("MaxPool", kernel_shape=[6, 1])
    ),
    "flattened": (one("Softmax", axis=2, opset=11), one("Softmax", axis=2)),
    "fractional-scales": (
        one("Upsample", scales=[1.0, 1.0, 1.5, 2.0], opset=7), one("Upsample", scales=[1.0, 1.0, 3.0, 2.0], opset=7)
    ),
    "fractional-size": (resized(1.3), resized(0.5)),
    "slope-beyond-channels": (one("PRelu", constants={"s": values(8)}), one("PRelu", constants={"s": values(4, 1, 1)})),
}  # fmt: skip
"""By kind: a model whose `y` is computed by a node that the kind matches, and one by a node that it does not."""


def touched(proto, quirk):
    opset, graph = proto.opset_import[0].version, ir.from_proto(proto).graph
    of_node = touches(graph.outputs[0].producer(), quirk, opset)
    assert quirk.kind in SOLVED_WITHOUT_RULES or touches(rewritten_alike(graph), quirk, opset) is of_node
    return of_node


def rewritten_alike(graph):
    """The last node as `lower` shows it to a quirk, though the conversion changes nothing of it."""
    node = graph.outputs[0].producer()
    return as_converted(node, NodeSpec(node.op_type, node.inputs, node.attributes))


def quirk_of(kind):
    (table,) = tomllib.loads(docs.example(kind))["quirk"]
    return Quirk(**dict.fromkeys(docs.COMMON, "any"), **table)


@pytest.mark.parametrize("kind", QUIRK_KINDS)
def test_a_kind_matches_the_nodes_that_it_says_and_only_of_its_ops(kind):
    match, other = MATCHES[kind]
    quirk = quirk_of(kind)
    assert touched(match, quirk)
    assert not touched(other, quirk)
    assert not touched(match, dataclasses.replace(quirk, ops=("Celu",)))
    assert touched(match, dataclasses.replace(quirk, ops=("*",)))


def test_a_transpose_that_moves_a_size_keeps_reshapes_apart():
    assert not touched(reshaped_twice(0, 2, -1, order=(1, 0, 2)), quirk_of("joined-reshapes"))


def test_an_input_to_which_onnx_gives_one_type_says_nothing_of_the_types_that_an_engine_takes():
    quirk = dataclasses.replace(quirk_of("operand-types"), ops=("ReduceMax",), inputs=())
    floats = one("ReduceMax", constants={"a": np.array([1])}, opset=18)
    assert not touched(floats, quirk)
    assert touched(one("ReduceMax", node("Cast", "x", "i", to=7), inputs="i", opset=18), quirk)


def test_a_scalar_is_no_batch():
    """A sweep tries this kind for ops of any rank."""
    assert not touched(one("Relu", shape=()), dataclasses.replace(quirk_of("batch"), ops=("Relu",)))


@pytest.mark.parametrize("kind", QUIRK_KINDS)
def test_the_example_of_a_kind_is_a_quirk_of_it_with_the_fields_that_the_files_give(kind):
    (table,) = tomllib.loads(docs.example(kind))["quirk"]
    assert quirk_of(kind).kind == kind
    for quirk in SHIPPED:
        if quirk["kind"] == kind:
            given, optional = set(quirk) - {*docs.COMMON, "opsets"}, "if it is left out" in QUIRK_KINDS[kind].__doc__
            assert given <= set(table) if optional else given == set(table), quirk["name"]


def test_a_quirk_shows_at_its_opsets_alone():
    quirk = dataclasses.replace(quirk_of("dilated"), opsets="7-12")
    dilated = {opset: one("Conv", constants={"w": W}, dilations=[1, 2], opset=opset) for opset in (12, 13)}
    assert touched(dilated[12], quirk)
    assert not touched(dilated[13], quirk)


@pytest.mark.parametrize("kind", QUIRK_KINDS)
def test_a_kind_names_the_fields_that_it_reads(kind):
    (table,) = tomllib.loads(docs.example(kind))["quirk"]
    prose = QUIRK_KINDS[kind].__doc__.partition("[[quirk]]")[0]
    read = [name for name in table if name not in ("kind", "ops")]
    assert f"Fields: `{read[0]}`" in prose if read else "Fields: none." in prose


@pytest.mark.parametrize(
    ("pads", "attributes", "counts"),
    [
        ([0, 0, 0, 0, 0, 0, 1, 1], {}, True),
        ([0, 0, 0, 0, 0, 0, 1, 1], {"auto_pad": "VALID"}, False),
        ([0, 0, 1, 0, 0, 0, 1, 1], {}, False),
        ([0, 0, 1, 0, 0, 0, 0, 0], {"pads": [0, 0, 1, 1]}, False),
        ([0, 0, 0, 0, 0, 1, 1, 1], {}, False),
    ],
)
def test_a_pad_before_a_convolution_is_part_of_it(pads, attributes, counts):
    nodes = node("Pad", "x", "p", "q"), node("Identity", "q", "i")
    constants = {"p": np.array(pads), "w": values(4, 4 + pads[5], 2, 2)}
    padded = one("Conv", *nodes, inputs="i,w", constants=constants, shape=(1, 4, 2, 2), **attributes)
    assert touched(padded, quirk_of("padded-at-end")) is counts


def test_the_page_is_the_one_that_is_generated():
    assert docs.PATH.read_text(encoding="utf-8") == docs.page(), "run: python -m fns_lab.targets.docs"


def test_the_page_has_every_target_fault_and_kind():
    text = docs.page()
    for name in targets.names():
        assert f"`{name}`" in text
        assert all(quirk.summary in text for quirk in targets.load(name).quirks)
    assert all(f"\n### {kind}\n" in text for kind in QUIRK_KINDS)


def test_a_newer_attribute_that_states_its_default_changes_nothing():
    def kept(policy):
        sizes = {"r": values(0), "s": np.array([1, 1, 2, 2], np.float32)}
        return one("Resize", constants=sizes, opset=18, mode="nearest", keep_aspect_ratio_policy=policy)

    opencv = targets.load("opencv/cpu")
    assert targets.check(kept("stretch"), opencv)
    assert not targets.check(kept("not_larger"), opencv)
