"""Readers of a node of any opset: its constants, axes, pads, scales and static shapes.

What one opset writes as an attribute, another takes as an input; a reader knows both. The nodes are onnx_ir's.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir


class NodeError(Exception):
    """A node lacks what was asked of it, such as a constant input or a fixed size. The message says what."""


def constant_input(node: ir.Node, index: int) -> np.ndarray | None:
    """The value of a constant input, None if the node has no such input. Raises `NodeError` if it is computed."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise NodeError(f"input {index} ({value.name}) of {node.op_type} is computed, older opsets want a constant")
    return tensor.numpy()


def constant_array(value: ir.Value | None) -> np.ndarray:
    """Return the array of an initializer. Raises `NodeError` if the value is computed."""
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise NodeError(f"{'an input' if value is None else value.name} is computed, not constant")
    return tensor.numpy()


def producer(value: ir.Value) -> ir.Node:
    """Return the node that computes `value`. Raises `NodeError` if no node does."""
    node = value.producer()
    if node is None:
        raise NodeError(f"{value.name} is an input or a constant, not the output of a node")
    return node


def node_input(node: ir.Node, index: int) -> ir.Value:
    """Return an input of a node. Raises `NodeError` if the node has no such input."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        raise NodeError(f"{node.op_type} has no input {index}")
    return value


def node_inputs(node: ir.Node) -> list[ir.Value]:
    """Return all inputs of a node. Raises `NodeError` if an optional one is left out."""
    return [node_input(node, index) for index in range(len(node.inputs))]


def name_of(value: ir.Value) -> str:
    """Return the name of a value. Raises `NodeError` if it has none."""
    if value.name is None:
        raise NodeError("a value has no name")
    return value.name


def fixed_shape(x: ir.Value) -> tuple[int, ...]:
    """Return the shape of `x`, all integers. Raises `NodeError` if a dimension is not fixed."""
    if x.shape is None or not x.shape.is_static():
        raise NodeError(f"the size of {x.name} is not fixed; give --shape NAME=1x3xHxW for the model's input")
    return tuple(x.shape.numpy())


def fixed_size(x: ir.Value, axis: int) -> int:
    """The size of `x` along `axis`. Raises `NodeError` if it is not fixed."""
    size = None if x.shape is None else x.shape[axis]
    if not isinstance(size, int):
        raise NodeError(f"the size of {x.name} is not fixed; give --shape NAME=1x3xHxW for the model's input")
    return size


def rank(node: ir.Node) -> int:
    """Dimensions of the first input. Raises `NodeError` when unknown."""
    shape = node.inputs[0].shape
    if shape is None:
        raise NodeError(f"the shape of {node.inputs[0].name} is unknown")
    return len(shape)


def axes_input(node: ir.Node, index: int) -> list[int] | None:
    axes = constant_input(node, index)
    return None if axes is None else [int(a) % rank(node) for a in axes.reshape(-1)]


def reduced_axes(node: ir.Node) -> list[int]:
    """The axes, counted from the front, that a reduction of any opset runs over. Raises `NodeError`."""
    axes = node.attributes["axes"].as_ints() if "axes" in node.attributes else axes_input(node, 1)
    if axes is None or not len(axes):
        noop = node.attributes.get_int("noop_with_empty_axes", 0)
        return [] if noop else list(range(rank(node)))
    return [axis % rank(node) for axis in axes]


def full_pads(node: ir.Node) -> list[int]:
    """The pads of a Pad node of any opset, begin then end, one of each per axis. Raises `NodeError`."""
    if "pads" in node.attributes:
        return list(node.attributes["pads"].as_ints())
    given, axes = constant_input(node, 1).tolist(), axes_input(node, 3)
    if axes is None:
        return given
    pads = [0] * (2 * rank(node))
    for i, axis in enumerate(axes):
        pads[axis], pads[axis + rank(node)] = given[i], given[i + len(axes)]
    return pads


def split_sizes(node: ir.Node) -> list[int]:
    """The size of each output of a Split of any opset along its axis. Raises `NodeError` if they are not fixed."""
    if "split" in node.attributes:
        return list(node.attributes["split"].as_ints())
    if (sizes := constant_input(node, 1)) is not None:
        return sizes.tolist()
    size, parts = fixed_size(node.inputs[0], node.attributes.get_int("axis", 0)), len(node.outputs)
    part = math.ceil(size / parts)
    return [min(part, size - part * i) for i in range(parts)]


def resize_scales(node: ir.Node) -> list[float]:
    """Scales of a Resize or Upsample node that repeats pixels, one per axis.

    Raises `NodeError` if it does anything but repeat each pixel a whole number of times.
    """
    attributes = node.attributes
    if attributes.get_string("mode", "nearest") != "nearest":
        raise NodeError(f"{node.op_type} in mode {attributes.get_string('mode', '')}")
    if "scales" in attributes:
        scales = list(attributes["scales"].as_floats())
    else:
        scales = _resize_input_scales(node)
    if any(s < 1 or s != int(s) for s in scales):
        raise NodeError(f"{node.op_type} by {scales}, not by whole numbers")
    ways = (
        attributes.get_string("coordinate_transformation_mode", "half_pixel"),
        attributes.get_string("nearest_mode", "round_prefer_floor"),
    )
    if node.op_type == "Resize" and ways not in REPEATING_MODES:
        raise NodeError(f"Resize with coordinates {ways[0]} and rounding {ways[1]}")
    return scales


REPEATING_MODES = (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
"""Resize modes in which a whole scale s repeats each pixel: floor(i / s); round((i + 0.5) / s - 0.5), free of ties."""


def _resize_input_scales(node: ir.Node) -> list[float]:
    if node.op_type == "Upsample" or len(node.inputs) == 2:
        return constant_input(node, 1).tolist()
    axes = node.attributes.get("axes")
    scales, sizes = constant_input(node, 2), constant_input(node, 3)
    if scales is None or not len(scales):
        if sizes is None or axes is not None or node.inputs[0].shape is None or not node.inputs[0].shape.is_static():
            raise NodeError("Resize to sizes of an input whose own size is not fixed")
        scales = sizes / np.array(node.inputs[0].shape.numpy())
    if axes is None:
        return scales.tolist()
    full = [1.0] * rank(node)
    for axis, scale in zip(axes.as_ints(), scales, strict=True):
        full[axis] = float(scale)
    return full
