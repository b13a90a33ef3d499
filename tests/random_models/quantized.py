"""Quantized models from a float32 input to a float32 output, for the rules that compute them in float32."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tests.random_models.draw import F32, OLD, OLDEST, any_shape, image_shape, model_of, opset_from, random_weights

TYPES = {10: (np.int8, np.uint8), 21: (np.int8, np.uint8, np.int16, np.uint16)}


def _parameters(draw, opset: int, name: str, sizes: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """Draw a scale and a zero point of a type that QuantizeLinear has at this opset."""
    dtype = draw(st.sampled_from(TYPES[21 if opset >= 21 else 10]))
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    low = 0 if np.dtype(dtype).kind == "u" else -20
    scale = draw(st.sampled_from([0.25, 0.05, 0.013]))  # 0.25 gives ties
    scales = np.asarray(scale * (1 + rng.integers(0, 2, sizes)), F32)
    return {f"{name}.scale": scales, f"{name}.zero": np.asarray(rng.integers(low, 21, sizes), dtype)}


def quantize(draw):
    """QuantizeLinear and DequantizeLinear, by one scale, one per index of an axis, or one per block of two."""
    shape, opset = any_shape(draw, 2, 4), opset_from(draw, 10)
    axis, attributes, sizes = draw(st.integers(0, len(shape) - 1)), {}, ()
    if opset >= 13 and draw(st.booleans()):
        attributes, sizes = {"axis": draw(st.sampled_from([axis, axis - len(shape)]))}, (shape[axis],)
    if opset >= 21 and draw(st.booleans()):
        attributes = {"axis": axis, "block_size": 2}
        sizes = tuple(-(-size // 2) if i == axis else size for i, size in enumerate(shape))
    constants = _parameters(draw, opset, "q", sizes)
    names = list(constants) if draw(st.booleans()) or constants["q.zero"].dtype != np.uint8 else ["q.scale"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", *names], ["q"], **attributes),
        helper.make_node("DequantizeLinear", ["q", *names], ["y"], **attributes),
    ]
    return draw(st.sampled_from([OLD, OLDEST])), model_of(nodes, shape, constants, opset=opset)


def quantized_and_moved(draw):
    """Nodes that only move elements between QuantizeLinear and DequantizeLinear."""
    n, c, h, w = shape = image_shape(draw, low=2)
    moves = {
        "Reshape": helper.make_node("Reshape", ["q", "flat"], ["m"]),
        "Transpose": helper.make_node("Transpose", ["q"], ["m"], perm=[0, 2, 3, 1]),
        "Concat": helper.make_node("Concat", ["q", "more", "q"], ["m"], axis=-1),
        "MaxPool": helper.make_node("MaxPool", ["q"], ["m"], kernel_shape=[2, 2], pads=[1, 0, 0, 1]),
        "Gather": helper.make_node("Gather", ["q", "i"], ["m"], axis=2),
    }
    first = moves[draw(st.sampled_from(sorted(moves)))]
    constants = _parameters(draw, 13, "q")
    dtype = constants["q.zero"].dtype
    constants |= {"flat": np.array([n, c * h * w]), "i": np.array([1, 0]), "more": np.full((n, c, h, 2), 9, dtype)}
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "q.scale", "q.zero"], ["q"]),
        first,
        helper.make_node("Unsqueeze", ["m", "first"], ["u"]),
        helper.make_node("DequantizeLinear", ["u", "q.scale", "q.zero"], ["y"]),
    ]
    return OLD, model_of(nodes, shape, constants | {"first": np.array([0])}, opset=13)


def q_linear(draw):
    """QLinearConv with groups, pads, a scale per channel and a bias, or QLinearMatMul with a scale per column."""
    opset, conv = opset_from(draw, 10), draw(st.booleans())
    constants = _parameters(draw, 10, "q") | _parameters(draw, 10, "r")  # of 8 bits, as QLinear ops take
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    dtype = constants["q.zero"].dtype
    constants["r.zero"] = np.abs(constants["r.zero"]).astype(dtype)
    w_type = draw(st.sampled_from([np.int8, np.uint8][: 2 if dtype == np.uint8 else 1]))  # what ONNX Runtime takes
    rows = draw(st.booleans())
    if conv:
        shape = image_shape(draw, low=4, c=2)
        c = shape[1]
        group, out = draw(st.sampled_from([1, c])), 2 * c
        weights, zero = rng.integers(0, 120, (out, c // group, 3, 2)), np.zeros((), w_type)
        attributes = {"group": group, "pads": [1, 0, 2, 1], "strides": [1, draw(st.integers(1, 2))]}
    else:
        shape = any_shape(draw, 2, 4)
        out, attributes = draw(st.integers(1, 5)), {}
        weights, zero = rng.integers(0, 120, (shape[-1], out)), np.asarray(rng.integers(0, 9), w_type)
    sizes = (out,) if rows and (conv or w_type is np.int8) else ()
    constants |= {"w": weights.astype(w_type), "w.scale": np.asarray(rng.uniform(0.01, 0.1, sizes), F32)}
    constants["w.zero"] = np.full(sizes, zero)
    inputs = ["q", "q.scale", "q.zero", "w", "w.scale", "w.zero", "r.scale", "r.zero"]
    if conv and draw(st.booleans()):
        constants["b"] = rng.integers(-2000, 2000, out).astype(np.int32)
        inputs.append("b")
    op = "QLinearConv" if conv else "QLinearMatMul"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "q.scale", "q.zero"], ["q"]),
        helper.make_node(op, inputs, ["r"], name="node", **attributes),
        helper.make_node("DequantizeLinear", ["r", "r.scale", "r.zero"], ["y"]),
    ]
    return OLD, model_of(nodes, shape, constants, opset=opset)


def integer(draw):
    """ConvInteger or MatMulInteger of a quantized value, its sums cast to float32."""
    conv, rng = draw(st.booleans()), np.random.default_rng(draw(st.integers(0, 999)))
    constants = _parameters(draw, 13, "q")
    shape = image_shape(draw, low=3) if conv else any_shape(draw, 2, 4)
    sizes = (3, shape[1], 2, 3) if conv else (shape[-1], 3)
    constants["w"] = rng.integers(0, 120, sizes).astype(np.uint8)
    zeros = ["q.zero"]
    if draw(st.booleans()):
        constants["w.zero"], zeros = np.array(draw(st.integers(0, 9)), np.uint8), ["q.zero", "w.zero"]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "q.scale", "q.zero"], ["q"]),
        helper.make_node("ConvInteger" if conv else "MatMulInteger", ["q", "w", *zeros], ["s"], name="node"),
        helper.make_node("Cast", ["s"], ["y"], to=TensorProto.FLOAT),
    ]
    return OLD, model_of(nodes, shape, constants, opset=opset_from(draw, 13))


def dynamic_quantize(draw):
    """A product with weights of 8 bits of a value that is quantized by its own range, as dynamic quantization does."""
    shape = any_shape(draw, 2, 4)
    rng = np.random.default_rng(draw(st.integers(0, 999)))
    constants = {"w": rng.integers(-99, 100, (shape[-1], 3)).astype(np.int8), "w.zero": np.int8(0)}
    nodes = [
        helper.make_node("Mul", ["x", "factor"], ["a"]),
        helper.make_node("DynamicQuantizeLinear", ["a"], ["q", "s", "z"], name="node"),
        helper.make_node("MatMulInteger", ["q", "w", "z", "w.zero"], ["sums"]),
        helper.make_node("Cast", ["sums"], ["float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["float", "s"], ["y"]),
    ]
    constants["factor"] = np.abs(random_weights(draw, 1)) * draw(st.sampled_from([1, 1e-3, 0]))
    return OLD, model_of(nodes, shape, {k: np.asarray(v) for k, v in constants.items()}, opset=opset_from(draw, 11))
