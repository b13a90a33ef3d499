"""Quantized ops."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import CHANNELS, IMAGES, LEFT_OUT, NONE_OR_ALL
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.families.windows import OWN_ATTRIBUTES, USUAL, convolution, convolution_axes

RANKS = (4, 3, 2, 1, 5)
KINDS = ("uint8", "int8")
ROWS = (4, 1, 3, 5, 17, 64)
SCALES = ("tensor", "channel", "blocks")
BLOCK = 2
"""Elements along the axis that share a scale."""


def _scale_and_zero(draw: Draw, shape: tuple[int, ...]) -> list[np.ndarray | None]:
    """Return scale and zero point for the whole tensor, per channel or per block, as the axis `scale` says."""
    scaled: tuple[int, ...] = ()
    if draw["scale"] != "tensor":
        draw.require("axis" in draw.schema.attributes and len(shape) > 1)
        axis = draw.attributes.get("axis", 1) % len(shape)
        scaled = (shape[axis],)
        if draw["scale"] == "blocks":
            draw.set("block_size", BLOCK)
            scaled = (*shape[:axis], -(-shape[axis] // BLOCK), *shape[axis + 1 :])
    zero = None if draw["zero point"] is LEFT_OUT else draw.array(scaled, 0, 20, draw["kind"])
    return [draw.array(scaled, 0.02, 0.3, np.float32), zero]


def _quantize(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(draw["zero point"] is not LEFT_OUT or draw["kind"] == "uint8")
    draw.require(-len(shape) <= draw.attributes.get("axis", 0) < len(shape))
    x = draw.array(shape, -20.0, 20.0)
    x.flat[::3] = np.float32(0.75)  # halves, for a scale of 0.5 and 0.25
    return [x, *_scale_and_zero(draw, shape)]


def _dequantize(draw: Draw) -> Inputs:
    shape = draw.image()
    draw.require(-len(shape) <= draw.attributes.get("axis", 0) < len(shape))
    return [draw.array(shape, -100, 100, draw["kind"]), *_scale_and_zero(draw, shape)]


def _matmul(draw: Draw) -> Inputs:
    m, k, n = draw["rows"], draw["channels"], draw["columns"]
    a, b = draw.array((m, k), -100, 100, draw["kind"]), draw.array((k, n), -100, 100, draw["second kind"])
    zeros = [draw.array((), 0, 20, draw["kind"]), draw.array((), 0, 20, draw["second kind"])]
    if draw.op == "MatMulInteger":
        return [a, b, *(zeros if draw["zero point"] else [])]
    scale = draw.array((3,), 0.02, 0.1, np.float32)
    outcome = np.zeros((), draw["kind"]) + draw.array((), 0, 20, draw["kind"])
    return [a, scale[0], zeros[0], b, scale[1], zeros[1], scale[2] * k, outcome]


def _conv(draw: Draw) -> Inputs:
    shape, weights, filters = convolution(draw)
    x = draw.array(shape, -100, 100, draw["kind"])
    w = draw.array(weights, -100, 100, draw["second kind"])
    zeros = [draw.array((), 0, 20, draw["kind"]), draw.array((), 0, 20, draw["second kind"])]
    if draw.op == "ConvInteger":
        return [x, w, *(zeros if draw["zero point"] else [])]
    scale = draw.array((3,), 0.02, 0.1, np.float32)
    zero = draw.array((), 0, 20, draw["kind"])
    inputs = [x, scale[0], zeros[0], w, scale[1], zeros[1], scale[2] * shape[1], zero]
    return [*inputs, draw.array((filters,), -1000, 1000, np.int32)] if draw["bias"] else inputs


def _dynamic(draw: Draw) -> Inputs:
    draw.outputs = 3
    return [draw.array(draw.image(), -5.0, 5.0)]


ZERO_POINT = ("given", LEFT_OUT)
FAMILIES = (
    Family(
        ("QuantizeLinear",),
        lambda op: {"rank": RANKS, **IMAGES, "kind": KINDS, "scale": SCALES, "zero point": ZERO_POINT},
        _quantize,
        typed=False,
    ),
    Family(
        ("DequantizeLinear",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "kind": (*KINDS, "int32"),
            "scale": SCALES,
            "zero point": ZERO_POINT,
        },
        _dequantize,
        typed=False,
    ),
    Family(
        ("MatMulInteger", "QLinearMatMul"),
        lambda op: {
            "rows": ROWS,
            "channels": CHANNELS,
            "columns": ROWS,
            "kind": KINDS,
            "second kind": KINDS,
            "zero point": ZERO_POINT,
        },
        _matmul,
        typed=False,
    ),
    Family(
        ("ConvInteger", "QLinearConv"),
        lambda op: {
            **convolution_axes(op),
            "kind": KINDS,
            "second kind": ("uint8", "int8"),
            "zero point": ZERO_POINT,
        },
        _conv,
        OWN_ATTRIBUTES,
        usual=USUAL,
        typed=False,
    ),
    Family(
        ("DynamicQuantizeLinear",),
        lambda op: {"rank": RANKS, **IMAGES},
        _dynamic,
        constants=NONE_OR_ALL,
        typed=False,
    ),
)
