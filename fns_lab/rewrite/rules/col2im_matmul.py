"""Col2Im as one matrix product.

    y = (x as (N C, K L)) B  as  (N, C, ...),   B (K L, H W) holds 1 where an element of a block belongs to a pixel

x `(N, C K, L)`: K elements per block, L blocks.

- Supported: Col2Im 18, any number of dimensions, `x` of fixed shape, constant sizes; B of at most 2^24 elements.
  For other than two dimensions ONNX Runtime differs from the operator's text and from onnx's reference.
- Fidelity: rounding.
- Needed by: targets below opset 18, where the op does not exist.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

MOST_ELEMENTS = 2**24
"""Largest matrix, in float32 values: 64 MB."""


class Col2ImMatMul(OpRule):
    NAME = "col2im-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul", "Reshape")
    OPS = ("Col2Im",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        image, block = (constant_array(node.inputs[i]) for i in (1, 2))
        blocks = fixed_shape(x)[2]
        if (size := math.prod(image) * math.prod(block) * blocks) > MOST_ELEMENTS:
            raise Refusal(f"the matrix would have {size} elements, more than {MOST_ELEMENTS}")
        if (count := _pixels(node).shape[1]) != blocks:
            raise Refusal(f"{x.name} has {blocks} blocks, {count} fit into the image")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, (n, depth, blocks) = producer(y), fixed_shape(x)
        image, pixels = constant_array(node.inputs[1]).tolist(), _pixels(node).reshape(-1)
        channels = depth * blocks // len(pixels)
        matrix = np.zeros((len(pixels), math.prod(image)), np.float32)
        matrix[np.flatnonzero(pixels >= 0), pixels[pixels >= 0]] = 1
        flat = self.reshape(op, x, (n * channels, len(pixels)), f"{y.name}.flat")
        product = op.MatMul(flat, initializer(op, matrix, f"{y.name}.matrix"), _outputs=[f"{y.name}.product"])
        return self.reshape(op, product, (n, channels, *image), str(y.name))


def _pixels(node: ir.Node) -> np.ndarray:
    """Return the pixel that each element of each block belongs to, `(K, L)`; -1 in the padding."""
    image, block = (constant_array(node.inputs[i]).tolist() for i in (1, 2))
    ones, zeros = [1] * len(image), [0] * 2 * len(image)
    strides, dilations = (node.attributes.get_ints(name, ones) for name in ("strides", "dilations"))
    pads = node.attributes.get_ints("pads", zeros)
    pixels, inside = np.zeros((1, 1), np.int64), np.ones((1, 1), bool)
    for i, size in enumerate(image):
        extent = (block[i] - 1) * dilations[i] + 1
        starts = np.arange(0, size + pads[i] + pads[i + len(image)] - extent + 1, strides[i]) - pads[i]
        places = np.arange(block[i])[:, None] * dilations[i] + starts
        valid = (places >= 0) & (places < size)
        shape = (pixels.shape[0] * places.shape[0], pixels.shape[1] * places.shape[1])
        pixels = (pixels[:, None, :, None] * size + places[None, :, None, :]).reshape(shape)
        inside = (inside[:, None, :, None] & valid[None, :, None, :]).reshape(shape)
    return np.where(inside, pixels, -1)
