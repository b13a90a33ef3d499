"""Kinds of quirk for nodes that need more textures or buffers, or larger ones, than a GPU offers."""

from __future__ import annotations

import functools
import math

import onnx_ir as ir

from fns_lab.opset.nodes import known_shapes
from fns_lab.targets.target import Quirk


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

    Fields: `counts`, the largest number of elements.

        [[quirk]]
        kind = "large-value"
        ops = ["*"]
        counts = [67_108_864]
    """
    return any(count > max(quirk.counts) for count in _counts(node))


def no_texture(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read or compute a value whose elements fill no texture, as those of a large prime number.

    The longer side of the texture is the first number from the square root of that number on that divides it.

    Fields: `counts`, the number below which a side of a texture stays.

        [[quirk]]
        kind = "no-texture"
        ops = ["*"]
        counts = [8192]
    """
    return not all(_fills_a_texture(count, max(quirk.counts)) for count in _counts(node) if count)


def _counts(node: ir.Node) -> list[int]:
    """Return the number of elements of each input and output whose shape is known."""
    shapes = known_shapes([*node.inputs, *node.outputs])
    sizes = [[size for size in shape if isinstance(size, int)] for shape in shapes]
    return [math.prod(known) for known, shape in zip(sizes, shapes, strict=True) if len(known) == len(shape)]


@functools.lru_cache(maxsize=4096)
def _fills_a_texture(count: int, limit: int) -> bool:
    return any(count % side == 0 for side in range(math.isqrt(count), min(limit, count + 1)))
