"""Readers of a node of any opset: its constants, axes, pads, scales, static shapes and neighbours.

What one opset writes as an attribute, another takes as an input; a reader knows both. The nodes are those of onnx_ir.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx_ir as ir


class NodeError(Exception):
    """A node does not have what a reader needs, such as a constant input or a fixed size; the message names it."""


def constant_input(node: ir.Node, index: int) -> np.ndarray | None:
    """Return the array of a constant input, None if there is no such input. Raises `NodeError` if it is computed."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise NodeError(f"input {index} ({value.name}) of {node.op_type} is computed; a constant is needed")
    return tensor.numpy()


def required_constant(node: ir.Node, index: int) -> np.ndarray:
    """Return the array of a constant input. Raises `NodeError` if it is computed or left out."""
    array = constant_input(node, index)
    if array is None:
        raise NodeError(f"{node.op_type} has no input {index}")
    return array


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


def has_input(node: ir.Node, index: int) -> bool:
    """Return whether the node is given its input of this number."""
    return index < len(node.inputs) and node.inputs[index] is not None


def node_inputs(node: ir.Node) -> list[ir.Value]:
    """Return all inputs of a node. Raises `NodeError` if an optional one is left out."""
    return [node_input(node, index) for index in range(len(node.inputs))]


def require_first_output_only(node: ir.Node) -> None:
    """Raise `NodeError` if an output of `node` after the first is used."""
    for output in node.outputs[1:]:
        if output.uses() or output.is_graph_output():
            raise NodeError(f"{output.name} is used, only the first output can be rewritten")


def name_of(value: ir.Value) -> str:
    """Return the name of a value. Raises `NodeError` if it has none."""
    if value.name is None:
        raise NodeError("a value has no name")
    return value.name


def fixed_shape(x: ir.Value | None) -> tuple[int, ...]:
    """Return the shape of `x`, all integers. Raises `NodeError` if a dimension is not fixed."""
    shape = None if x is None else x.shape
    if shape is None or not shape.is_static():
        raise _size_not_fixed(x)
    return tuple(shape.numpy())


def fixed_size(x: ir.Value | None, axis: int) -> int:
    """Return the size of `x` along `axis`. Raises `NodeError` if it is not fixed."""
    size = None if x is None or x.shape is None else x.shape[axis]
    if not isinstance(size, int):
        raise _size_not_fixed(x)
    return size


def _size_not_fixed(x: ir.Value | None) -> NodeError:
    name = "an input that is left out" if x is None else x.name
    return NodeError(f"the size of {name} is not fixed; give --shape NAME=1x3xHxW for the model's input")


def rank(node: ir.Node) -> int:
    """Return the number of dimensions of the first input. Raises `NodeError` if its shape is unknown."""
    x = node.inputs[0]
    if x is None or x.shape is None:
        raise NodeError(f"the shape of {'an input that is left out' if x is None else x.name} is unknown")
    return len(x.shape)


def from_the_front(axis: int, dimensions: int) -> int:
    """Return `axis` counted from the front of so many dimensions. Raises `NodeError` if they have no such axis."""
    if not -dimensions <= axis < max(dimensions, 1):
        raise NodeError(f"axis {axis} of a value of {dimensions} dimensions")
    return axis + dimensions if axis < 0 else axis


def axis_attribute(node: ir.Node, default: int) -> int:
    """Return the attribute axis of a node counted from the front. Raises `NodeError` if its first input has none."""
    return from_the_front(node.attributes.get_int("axis", default), rank(node))


def axes_input(node: ir.Node, index: int) -> list[int] | None:
    """Return the axes that a constant input holds, counted from the front, None if the node has no such input.

    Raises `NodeError` if the input is computed, the rank unknown, or an axis out of range.
    """
    axes = constant_input(node, index)
    return None if axes is None else [from_the_front(int(a), rank(node)) for a in axes.reshape(-1)]


def stated_axes(node: ir.Node) -> list[int]:
    """Return the axes of a reduction of any opset as it states them, so that -1 stays -1; empty if it states none.

    Raises `NodeError` if they are computed.
    """
    if "axes" in node.attributes:
        return list(node.attributes["axes"].as_ints())
    axes = constant_input(node, 1)
    return [] if axes is None else [int(a) for a in axes.reshape(-1)]


def reduced_axes(node: ir.Node) -> list[int]:
    """Return the axes that a reduction of any opset removes, counted from the front.

    Raises `NodeError` if they are computed or the rank is unknown.
    """
    axes = stated_axes(node)
    if not axes:
        noop = node.attributes.get_int("noop_with_empty_axes", 0)
        return [] if noop else list(range(rank(node)))
    return [from_the_front(axis, rank(node)) for axis in axes]


def full_pads(node: ir.Node) -> list[int]:
    """Return the pads of a Pad node of any opset: for each axis the pad at its begin, then for each that at its end.

    Raises `NodeError` if they are computed.
    """
    if "pads" in node.attributes:
        return list(node.attributes["pads"].as_ints())
    stated, axes = [int(pad) for pad in required_constant(node, 1).reshape(-1)], axes_input(node, 3)
    if axes is None:
        return stated
    pads = [0] * (2 * rank(node))
    for i, axis in enumerate(axes):
        pads[axis], pads[axis + rank(node)] = stated[i], stated[i + len(axes)]
    return pads


def split_sizes(node: ir.Node) -> list[int]:
    """Return the size of each output of a Split of any opset along its axis. Raises `NodeError` if one is not fixed."""
    if "split" in node.attributes:
        return list(node.attributes["split"].as_ints())
    if (sizes := constant_input(node, 1)) is not None:
        return [int(size) for size in sizes.reshape(-1)]
    size, parts = fixed_size(node.inputs[0], node.attributes.get_int("axis", 0)), len(node.outputs)
    part = math.ceil(size / parts)
    if part * (parts - 1) > size:
        raise NodeError(f"Split of {size} into {parts} outputs, each of {part} but the last")
    return [min(part, size - part * i) for i in range(parts)]


def resize_scales(node: ir.Node) -> list[float]:
    """Return the scales of a Resize or Upsample node that repeats pixels, one per axis.

    Raises `NodeError` if it does anything but repeat each pixel a whole number of times.
    """
    attributes = node.attributes
    if attributes.get_string("mode", "nearest") != "nearest":
        raise NodeError(f"{node.op_type} in mode {attributes.get_string('mode', '')}")
    scales = list(attributes["scales"].as_floats()) if "scales" in attributes else _resize_input_scales(node)
    if any(s < 1 or s != int(s) for s in scales):
        raise NodeError(f"{node.op_type} by {scales}, not by whole numbers")
    modes = (
        attributes.get_string("coordinate_transformation_mode", "half_pixel"),
        attributes.get_string("nearest_mode", "round_prefer_floor"),
    )
    if node.op_type == "Resize" and modes not in REPEATING_MODES:
        raise NodeError(f"Resize with coordinates {modes[0]} and rounding {modes[1]}")
    return scales


ROUNDINGS: Mapping[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - 0.5),
    "round_prefer_ceil": lambda x: np.floor(x + 0.5),
}
"""How a coordinate of a Resize becomes the index of an element, by `nearest_mode`."""
REPEATING_MODES = (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
"""Resize modes in which a whole scale s repeats each pixel: floor(i / s); round((i + 0.5) / s - 0.5), free of ties."""


def _resize_input_scales(node: ir.Node) -> list[float]:
    if node.op_type == "Upsample" or len(node.inputs) == 2:
        return [float(scale) for scale in required_constant(node, 1)]
    axes = node.attributes.get("axes")
    scales, sizes = constant_input(node, 2), constant_input(node, 3)
    if scales is None or not len(scales):
        shape = None if node.inputs[0] is None else node.inputs[0].shape
        if sizes is None or axes is not None or shape is None or not shape.is_static():
            raise NodeError("Resize to sizes of an input whose own size is not fixed")
        if node.attributes.get_string("keep_aspect_ratio_policy", "stretch") != "stretch":
            raise NodeError("Resize to sizes that keep the aspect ratio")
        if 0 in shape:
            raise NodeError("Resize of an input without elements")
        scales = sizes / np.array(shape.numpy())
    if axes is None:
        return [float(scale) for scale in scales]
    full = [1.0] * rank(node)
    for axis, scale in zip(axes.as_ints(), scales, strict=True):
        full[axis] = float(scale)
    return full


def inputs_computed_by(node: ir.Node, op_types: Collection[str]) -> tuple[int, ...]:
    """Return the indices of the inputs of `node` that a node of one of these op types computes."""
    producers = (None if value is None else value.producer() for value in node.inputs)
    return tuple(i for i, producer in enumerate(producers) if producer is not None and producer.op_type in op_types)


def repeated_inputs(node: ir.Node) -> tuple[int, ...]:
    """Return the indices of the inputs that the same node computes as an earlier input, the same value included."""
    producers = [None if value is None else value.producer() for value in node.inputs]
    return tuple(i for i, each in enumerate(producers) if each is not None and each in producers[:i])


def computed_from(
    values: Iterable[ir.Value | None],
    inputs_of: Callable[[ir.Node], Sequence[ir.Value | None]] = lambda node: node.inputs,
) -> Iterator[ir.Value]:
    """Yield, each once, those of these values that are not constant and all such values that they are computed from.

    `inputs_of` returns the inputs of a node to look at. A value without a producer is an input of the graph.
    """
    waiting, seen = list(values), set[ir.Value]()
    while waiting:
        value = waiting.pop()
        if value is None or value in seen or ir.convenience.get_const_tensor(value) is not None:
            continue
        seen.add(value)
        yield value
        node = value.producer()
        waiting += () if node is None else inputs_of(node)


def known_shapes(values: Sequence[ir.Value | None]) -> list[ir.Shape]:
    """Return the shapes of those values that are not left out and have one."""
    return [value.shape for value in values if value is not None and value.shape is not None]


def input_shape(node: ir.Node, index: int) -> ir.Shape | None:
    """Return the shape of an input, None if it is unknown or there is no such input."""
    value = node.inputs[index] if index < len(node.inputs) else None
    return None if value is None else value.shape


def input_constant(node: ir.Node, index: int) -> np.ndarray | None:
    """Return the array of an input, None if it is computed or there is no such input."""
    value = node.inputs[index] if index < len(node.inputs) else None
    tensor = None if value is None else ir.convenience.get_const_tensor(value)
    return None if tensor is None else tensor.numpy()
