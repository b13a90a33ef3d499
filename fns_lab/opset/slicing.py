"""Slice, as older opsets write it."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axes_input, constant_input, from_the_front, input_shape, rank, required_constant
from fns_lab.opset.spec import ConversionError, NodeSpec, new_constant, unmodified

INT32_MAX = np.iinfo(np.int32).max
"""Largest number in int32; stands for the end of an axis."""


def slice_attributes(node: ir.Node) -> NodeSpec:
    """State the limits in attributes, none before the first element: ONNX.js counts on from there."""
    if "starts" in node.attributes:
        starts, ends = (list(node.attributes.get_ints(name)) for name in ("starts", "ends"))
        axes = node.attributes.get_ints("axes", None)
    else:
        starts, ends = (_within_int32(required_constant(node, i)) for i in (1, 2))
        axes, steps = axes_input(node, 3), constant_input(node, 4)
        if steps is not None and (steps != 1).any():
            raise ConversionError("Slice takes no steps before opset 10")
    axes = list(range(len(starts))) if axes is None else list(axes)
    limits = {"starts": _from_the_first(node, starts, axes), "ends": _from_the_first(node, ends, axes), "axes": axes}
    return NodeSpec("Slice", (node.inputs[0],), {k: ir.AttrInt64s(k, v) for k, v in limits.items()})


def _from_the_first(node: ir.Node, numbers: list[int], axes: list[int]) -> list[int]:
    """Return starts or ends of a Slice, those before the first element at it. One of an unknown size stays."""
    shape = input_shape(node, 0)
    sizes = [None if shape is None else shape[axis] for axis in axes]
    return [max(n, -size) if isinstance(size, int) else n for n, size in zip(numbers, sizes, strict=True)]


def _within_int32(numbers: np.ndarray) -> list[int]:
    return [int(number) for number in np.clip(numbers.reshape(-1), -INT32_MAX, INT32_MAX)]


def slice_from_the_front(node: ir.Node) -> NodeSpec:
    """Count the axes from the front: before opset 11 they have no other count."""
    axes = constant_input(node, 3)
    if axes is None or (axes >= 0).all():
        return unmodified(node)
    counted = np.array([from_the_front(int(a), rank(node)) for a in axes], axes.dtype)
    return NodeSpec("Slice", (*node.inputs[:3], new_constant(node, counted, "axes"), *node.inputs[4:]))
