"""Kinds of quirk for nodes that need more textures or buffers, or larger ones, than a GPU offers."""

from __future__ import annotations

import functools
import math

import onnx_ir as ir

from fns_lab.opset.nodes import input_shape, known_shapes
from fns_lab.targets.target import Quirk

TEXEL = 4
"""Numbers in an element of a texture."""


def many_inputs(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with more inputs than an engine reads at once.

    Fields: `counts`, the largest number of inputs.

        [[quirk]]
        kind = "many-inputs"
        ops = ["Concat"]
        counts = [16]
    """
    return len(node.inputs) > max(quirk.counts)


def many_outputs(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with more outputs than an engine writes at once.

    Fields: `counts`, the largest number of outputs.

        [[quirk]]
        kind = "many-outputs"
        ops = ["Split"]
        counts = [7]
    """
    return len(node.outputs) > max(quirk.counts)


def large_value(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read or compute a value known to have more elements than a texture.

    A convolution in one group computes the unrolled image: for each element of the result what is under the kernel, of
    which four elements count as one.

    Fields: `counts`, the largest number of elements.

        [[quirk]]
        kind = "large-value"
        ops = ["*"]
        counts = [67_108_864]
    """
    return not all(fits(count, quirk) for count in _counts(node))


def no_texture(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read or compute a value whose elements fill no texture, as those of a large prime number.

    It may be an unrolled image, as of `large-value`. The longer side of the texture is the first number that divides
    that of the elements, from its square root on.

    Fields: `counts`, the number below which a side of a texture stays.

        [[quirk]]
        kind = "no-texture"
        ops = ["*"]
        counts = [8192]
    """
    return not all(fits(count, quirk) for count in _counts(node))


def fits(count: int, quirk: Quirk) -> bool:
    """Return whether a value of so many elements fits into a texture, as a quirk of one of these two kinds says."""
    limit = max(quirk.counts)
    return count <= limit if quirk.kind == "large-value" else count == 0 or _fills_a_texture(count, limit)


def _counts(node: ir.Node) -> list[int]:
    """Return the number of elements of each input and output whose shape is known, and of an unrolled image."""
    shapes = known_shapes([*node.inputs, *node.outputs])
    unrolled = unrolled_count(node) if node.op_type == "Conv" else None
    counts = [math.prod(shape.numpy()) for shape in shapes if shape.is_static()]
    return counts if unrolled is None else [*counts, unrolled]


def unrolled_count(conv: ir.Node) -> int | None:
    """Return how many texels of four elements the unrolled image of a Conv has; None in groups, or if not known."""
    weights, y = input_shape(conv, 1), conv.outputs[0].shape
    if weights is None or y is None or not (weights.is_static() and y.is_static()):
        return None
    if conv.attributes.get_int("group", 1) != 1:
        return None
    images, _, *positions = y.numpy()
    return images * math.prod(positions) * math.ceil(math.prod(weights.numpy()[1:]) / TEXEL)


@functools.lru_cache(maxsize=4096)
def _fills_a_texture(count: int, limit: int) -> bool:
    return any(count % side == 0 for side in range(math.isqrt(count), min(limit, count + 1)))
