"""Models on which an engine is silently wrong, for the rules that work around its quirks."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.random_models.draw import (
    OLD,
    OLDEST,
    any_shape,
    image_shape,
    model_of,
    model_of_one,
    opset_from,
    random_weights,
)


def shared_reshape(draw):
    n, c, h, w = shape = image_shape(draw)
    nodes = [
        helper.make_node("Relu", ["x"], ["r"]),
        helper.make_node("Reshape", ["r", "flat"], ["f"]),
        helper.make_node("Reshape", ["f", "back"], ["b"]),
        helper.make_node("Sub", ["r", "b"], ["d"]),
        helper.make_node("Add", ["d", "x"], ["y"]),
    ]
    return "onnxjs-0.1.8/webgl", model_of(
        nodes, shape, {"flat": np.array([n, c * h * w]), "back": np.array(shape)}, opset=opset_from(draw)
    )


def einsum_without_output(draw):
    *before, rows, columns = image_shape(draw)[draw(st.integers(0, 2)) :]
    equation = draw(st.sampled_from(["...ij,jk", "...ij,kj", "j...i,ik", "...ij,aj"]))
    read = {"...ij,jk": (columns, 3), "j...i,ik": (columns, 3)}.get(equation, (3, columns))
    node = helper.make_node("Einsum", ["x", "w"], ["y"], equation=equation)
    weights = {"w": random_weights(draw, *read)}
    return "opencv/cpu", model_of([node], (*before, rows, columns), weights, opset=draw(st.integers(12, 20)))


def split_without_axis(draw):
    shape, parts, opset = any_shape(draw), draw(st.integers(2, 3)), opset_from(draw)
    outputs, counted = [f"y{i}" for i in range(parts)], {"num_outputs": parts} if opset >= 18 else {}
    node = helper.make_node("Split", ["x"], outputs, **counted)
    return "opencv/cpu", model_of([node], (parts * shape[0], *shape[1:]), opset=opset, outputs=outputs)


def log_softmax(draw):
    shape, opset = any_shape(draw), opset_from(draw, 13)
    return "opencv/cpu", model_of_one("LogSoftmax", shape, opset=opset, axis=draw(st.integers(0, len(shape) - 1)))


def given_out_twice(draw):
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node("Identity", ["r"], ["y"])]
    return OLDEST, model_of(nodes, any_shape(draw), opset=opset_from(draw), outputs=("r", "y"))


def read_after_reshape(draw):
    n, c, h, w = shape = image_shape(draw)
    op = draw(st.sampled_from(["Relu", "Sigmoid", "Tanh", "Abs", "Neg", "Exp"]))
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["f"]),
        helper.make_node(op, ["f"], ["y"]),
    ]
    return "ort-web/webgl", model_of(nodes, shape, {"flat": np.array([n, c * h * w])}, opset=opset_from(draw))


def two_of_one_shape_after_reshape(draw):
    n, c, h, w = shape = image_shape(draw)
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["f"]),
        helper.make_node(draw(st.sampled_from(["Add", "Mul", "Sub"])), ["f", "other"], ["y"]),
    ]
    constants = {"flat": np.array([n, c * h * w]), "other": random_weights(draw, n, c * h * w)}
    return "ort-web/webgl", model_of(nodes, shape, constants, opset=opset_from(draw))


def same_operand_twice(draw):
    op = draw(st.sampled_from(["Add", "Mul", "Sub"]))
    nodes = [helper.make_node("Relu", ["x"], ["r"]), helper.make_node(op, ["r", "r"], ["d"])]
    return OLDEST, model_of(
        [*nodes, helper.make_node("Add", ["d", "x"], ["y"])], any_shape(draw), opset=opset_from(draw)
    )


def same_padding(draw):
    shape = image_shape(draw, n=1)
    auto_pad = draw(st.sampled_from(["SAME_UPPER", "SAME_LOWER"]))
    kernel = [draw(st.integers(1, 3)), draw(st.integers(1, 3))]
    attributes = {"strides": [draw(st.integers(1, k)) for k in kernel], "auto_pad": auto_pad}
    if draw(st.booleans()):
        return OLD, model_of_one("MaxPool", shape, opset=opset_from(draw), kernel_shape=kernel, **attributes)
    return OLD, model_of_one(
        "Conv", shape, {"w": random_weights(draw, 2, shape[1], *kernel)}, opset=opset_from(draw), **attributes
    )


def conv_dense(draw):
    n, _, h, w = image_shape(draw, low=7, high=9)
    groups, c_in, c_out = draw(st.integers(2, 3)), draw(st.integers(2, 3)), draw(st.integers(1, 2))  # in one group
    constants = {"w": random_weights(draw, groups * c_out, c_in, 3, 2), "b": random_weights(draw, groups * c_out)}
    attributes = {"group": groups, "dilations": [draw(st.integers(1, 3)) for _ in "hw"], "pads": [1, 0, 2, 1]}
    return "onnxjs-0.1.4/webgl", model_of_one(
        "Conv", (n, groups * c_in, h, w), constants, opset=opset_from(draw), **attributes
    )


def conv_of_channels_by_three(draw):
    n, _, h, w = image_shape(draw, low=5, high=9)
    c, filters = draw(st.sampled_from([6, 9, 15, 21])), draw(st.sampled_from([4, 8, 12]))
    constants = {"w": random_weights(draw, filters, c, draw(st.integers(1, 3)), 2), "b": random_weights(draw, filters)}
    opset = opset_from(draw)
    return "ort-web/webgpu", model_of_one("Conv", (n, c, h, w), constants, opset=opset, pads=[1, 0, 2, 1])


def padded_points(draw):
    shape = image_shape(draw)
    pads = [draw(st.integers(0, 2)) for _ in range(3)]
    return "opencv/cpu", model_of_one(
        "Conv", shape, {"w": random_weights(draw, 3, shape[1], 1, 1)}, opset=opset_from(draw), pads=[*pads, 1]
    )


def norm_far_from_zero(draw):
    shape = image_shape(draw)
    if draw(st.booleans()):
        constants, attributes, opset = {"s": random_weights(draw, shape[1]), "b": random_weights(draw, shape[1])}, {}, 7
        op = "InstanceNormalization"
    else:
        axis = draw(st.integers(-3, -1))
        constants, attributes, opset = {"s": random_weights(draw, *shape[axis:])}, {"axis": axis}, 17
        op = "LayerNormalization"
    return "opencv/cpu", model_of_one(op, shape, constants, opset=opset_from(draw, opset), **attributes)


def conv_of_several_images(draw):
    n, c, h, w = image_shape(draw)
    constants = {"w": random_weights(draw, 3, c, 2, 3), "b": random_weights(draw, 3)}
    opset = opset_from(draw)
    return OLD, model_of_one("Conv", (n + 1, c, h, w), constants, opset=opset, strides=[2, 1])


def softmax_of_low_values(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    return OLD, model_of_one("Softmax", shape, opset=opset, axis=draw(st.integers(0, len(shape) - 1)))


def softmax_of_uneven_rows(draw):
    n, c, h, _ = image_shape(draw)
    shape = (n, 2 * c, h, draw(st.sampled_from([1, 3, 5, 7])))
    opset = opset_from(draw, last=12)
    return "ort-web/webgpu", model_of_one("Softmax", shape, opset=opset, axis=draw(st.sampled_from([0, 1])))


def tanh_of_large_values(draw):
    return "opencv/cpu", model_of_one("Tanh", any_shape(draw), opset=opset_from(draw))


def cast_that_is_read(draw):
    to = draw(st.sampled_from([TensorProto.BOOL, TensorProto.INT32, TensorProto.INT64]))
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=to),
        helper.make_node("Cast", ["c"], ["y"], to=TensorProto.FLOAT),
    ]
    return "ort-web/webgl", model_of(nodes, any_shape(draw), opset=opset_from(draw, 9))


def concat_of_many(draw):
    shape = any_shape(draw)
    constants = {"c": random_weights(draw, *shape)}
    inputs = [draw(st.sampled_from(["x", "c"])) for _ in range(draw(st.integers(17, 70)))]
    axis, opset = draw(st.integers(0, len(shape) - 1)), opset_from(draw)
    return "ort-web/webgl", model_of_one("Concat", shape, constants, opset=opset, inputs=["x", *inputs], axis=axis)


def clip_with_an_infinite_limit(draw):
    low, high = draw(st.sampled_from([(-np.inf, 0.5), (-0.5, np.inf), (-np.inf, np.inf)]))
    if (opset := opset_from(draw)) < 11:
        model = model_of_one("Clip", any_shape(draw), opset=opset, min=low, max=high)
    else:
        limits = {"low": np.array(low, np.float32), "high": np.array(high, np.float32)}
        model = model_of_one("Clip", any_shape(draw), limits, opset=opset)
    return draw(st.sampled_from(["onnxjs-0.1.8/webgl", "ort-web/webgl"])), model


def gather(draw):
    shape = any_shape(draw, 2)
    axis = draw(st.integers(0, len(shape) - 1))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    indices = rng.integers(-shape[axis], shape[axis], draw(st.sampled_from([(), (1,), (3,), (2, 2)])))
    target = "onnxjs-0.1.8/webgl" if not indices.ndim else OLDEST
    indices = indices if indices.ndim == 0 else np.minimum(indices, -1)
    return target, model_of_one("Gather", shape, {"i": indices}, opset=opset_from(draw, 11), axis=axis)


def gather_by_computed_indices(draw):
    shape = any_shape(draw, 2, 3)
    nodes = [
        helper.make_node("ArgMax", ["x"], ["first"], axis=0, keepdims=0),
        helper.make_node("Add", ["first", "shift"], ["i"]),
        helper.make_node("Gather", ["x", "i"], ["y"], axis=0),
    ]
    return OLDEST, model_of(nodes, shape, {"shift": np.array([-shape[0]])}, opset=opset_from(draw, 11))


def reduction_to_a_scalar(draw):
    shape, opset = any_shape(draw), opset_from(draw)
    op = draw(st.sampled_from(["ReduceMax", "ReduceMean", "ReduceSum", "ReduceSumSquare"]))
    return "onnxjs-0.1.3/webgl", model_of_one(op, shape, opset=opset, keepdims=0)


def fused(draw):
    opset = opset_from(draw, 9)
    if draw(st.booleans()):
        rows, columns = draw(st.integers(1, 4)), draw(st.integers(2, 5))
        constants = {"w": random_weights(draw, 3, columns), "c": random_weights(draw, 1, 1, columns)}
        product, joined = helper.make_node("MatMul", ["x", "w"], ["m"]), draw(st.permutations(["m", "c"]))
        nodes = [product, helper.make_node("Add", joined, ["y"], name="node")]
        return "opencv/cpu", model_of(nodes, (rows, 3), constants, opset=opset)
    n, c, h, w = image_shape(draw)
    constants = {"w": random_weights(draw, 2, c, 2, 3)} | {k: np.abs(random_weights(draw, 2)) for k in "gbmv"}
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node(draw(st.sampled_from(["Sigmoid", "HardSigmoid", "Elu"])), ["c"], ["a"]),
        helper.make_node("BatchNormalization", ["a", *"gbmv"], ["y"], name="node"),
    ]
    return "opencv/cpu", model_of(nodes, (n, c, h, w), constants, opset=opset)
