"""How ops are written at older opsets: one function per op that is written differently there and means the same.

onnx's version converter (1.23) converts a whole model at once and stops at the first op for which it has no adapter.
From opset 18 to 7 it knows Conv, LeakyRelu, ReduceSum, Softmax and Unsqueeze, and stops at 26 others that were tried,
Pad, Resize, Clip, Slice, MaxPool, ReduceMean, Relu and Add among them. onnxscript's converter only goes up. The table
here converts node by node, and each function raises the reason why it cannot convert its node.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import (
    NodeError,
    axes_input,
    constant_input,
    fixed_size,
    full_pads,
    rank,
    required_constant,
    resize_scales,
    split_sizes,
)


class ConversionError(NodeError):
    """A node cannot be written at another opset; the message says why."""


@dataclass(frozen=True)
class NodeSpec:
    """How a node is written at some opset. An input that is in no graph yet is a new initializer."""

    op_type: str
    inputs: tuple[ir.Value | None, ...]
    attributes: Mapping[str, ir.Attr] = field(default_factory=dict)


@dataclass(frozen=True)
class Conversion:
    """A change in how an op is written: `function` converts a node from opset `below` or later to any before it."""

    below: int
    function: Callable[[ir.Node], NodeSpec]


def _pad_attributes(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes) | {"pads": ir.AttrInt64s("pads", full_pads(node))}
    if (value := constant_input(node, 2)) is not None:
        attributes["value"] = ir.AttrFloat32("value", float(value.item()))
    return NodeSpec("Pad", (node.inputs[0],), attributes)


def _reduce_attributes(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes)
    axes = axes_input(node, 1)
    if axes:
        attributes["axes"] = ir.AttrInt64s("axes", axes)
    elif "noop_with_empty_axes" in attributes and attributes["noop_with_empty_axes"].as_int():
        raise ConversionError(f"{node.op_type} without axes changes nothing here, but reduces all axes before opset 18")
    attributes.pop("noop_with_empty_axes", None)
    return NodeSpec(node.op_type, (node.inputs[0],), attributes)


def _axes_attribute(node: ir.Node) -> NodeSpec:
    axes = constant_input(node, 1)
    attributes = dict(node.attributes)
    if axes is not None:
        extra = axes.size if node.op_type == "Unsqueeze" else 0
        attributes["axes"] = ir.AttrInt64s("axes", [int(a) % (rank(node) + extra) for a in axes.reshape(-1)])
    return NodeSpec(node.op_type, (node.inputs[0],), attributes)


def _reshape_plain(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes)
    allow_zero = attributes.pop("allowzero", None)
    if allow_zero is not None and allow_zero.as_int() and (required_constant(node, 1) == 0).any():
        raise ConversionError("Reshape to a dimension of 0: before opset 14 a 0 copies the input's dimension")
    return NodeSpec("Reshape", tuple(node.inputs), attributes)


INT32_MAX = np.iinfo(np.int32).max


def _slice_attributes(node: ir.Node) -> NodeSpec:
    if "starts" in node.attributes:
        return NodeSpec("Slice", tuple(node.inputs), dict(node.attributes))
    starts, ends = (_within_int32(required_constant(node, i)) for i in (1, 2))
    axes, steps = axes_input(node, 3), constant_input(node, 4)
    if steps is not None and (steps != 1).any():
        raise ConversionError("Slice takes no steps before opset 10")
    values = {"starts": starts, "ends": ends, "axes": list(range(len(starts))) if axes is None else axes}
    return NodeSpec("Slice", (node.inputs[0],), {k: ir.AttrInt64s(k, v) for k, v in values.items()})


def _within_int32(numbers: np.ndarray) -> list[int]:
    return [int(number) for number in np.clip(numbers, -INT32_MAX, INT32_MAX)]


def _clip_attributes(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes)
    for index, name in ((1, "min"), (2, "max")):
        if (value := constant_input(node, index)) is not None:
            attributes[name] = ir.AttrFloat32(name, float(value.item()))
    if {"min", "max"} <= set(attributes) and attributes["min"].as_float() > attributes["max"].as_float():
        raise ConversionError("Clip with min above max is undefined before opset 12")
    return NodeSpec("Clip", (node.inputs[0],), attributes)


def _split_attribute(node: ir.Node) -> NodeSpec:
    attributes = {k: v for k, v in node.attributes.items() if k != "num_outputs"}
    attributes["split"] = ir.AttrInt64s("split", split_sizes(node))
    return NodeSpec("Split", (node.inputs[0],), attributes)


def _pool_floored(node: ir.Node) -> NodeSpec:
    """Replace `ceil_mode` by padding: one more window at the end is the same as that much more padding there."""
    attributes = dict(node.attributes)
    if "dilations" in attributes and set(attributes["dilations"].as_ints()) == {1}:
        del attributes["dilations"]
    ceil_mode = attributes.pop("ceil_mode", None)
    if ceil_mode is None or not ceil_mode.as_int():
        return NodeSpec(node.op_type, tuple(node.inputs), attributes)
    return NodeSpec(node.op_type, tuple(node.inputs), attributes | {"pads": _pads_to_cover(node)})


def _pads_to_cover(node: ir.Node) -> ir.Attr:
    attributes = node.attributes
    if attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise ConversionError(f"{node.op_type} has both ceil_mode and auto_pad")
    kernel = attributes["kernel_shape"].as_ints()
    dimensions = len(kernel)
    pads = list(attributes.get_ints("pads", [0] * 2 * dimensions))
    strides = attributes.get_ints("strides", [1] * dimensions)
    if attributes.get_int("count_include_pad", 0) and any(pads):
        raise ConversionError("AveragePool counts its padding but not what ceil_mode adds")
    for i in range(dimensions):
        size = fixed_size(node.inputs[0], 2 + i) + pads[i]
        windows = math.ceil((size + pads[dimensions + i] - kernel[i]) / strides[i]) + 1
        if (windows - 1) * strides[i] >= size:  # ONNX's shape inference counts it, ONNX Runtime does not
            raise ConversionError(f"the last window of {node.op_type} lies in its padding")
        pads[dimensions + i] = max(0, (windows - 1) * strides[i] + kernel[i] - size)
    return ir.AttrInt64s("pads", pads)


def _gemm_with_bias(node: ir.Node) -> NodeSpec:
    inputs = tuple(node.inputs)
    if len(inputs) < 3 or inputs[2] is None:
        inputs = (*inputs[:2], new_constant(np.zeros(1, np.float32), f"{node.outputs[0].name}.no_bias"))
    return NodeSpec("Gemm", inputs, dict(node.attributes))


def new_constant(array: np.ndarray, name: str) -> ir.Value:
    """Return an initializer that is in no graph yet."""
    tensor = ir.tensor(array, name=name)
    return ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)


def _softmax_flattened(node: ir.Node) -> NodeSpec:
    """Keep a Softmax along the last axis: before opset 13 all axes from `axis` on are taken as one."""
    axis = node.attributes.get_int("axis", -1) % rank(node)
    if axis != rank(node) - 1:
        raise ConversionError(f"{node.op_type} changed its meaning at opset 13, except along the last axis")
    return NodeSpec(node.op_type, tuple(node.inputs), {"axis": ir.AttrInt64("axis", axis)})


def _of_equal_shapes(node: ir.Node) -> NodeSpec:
    """Keep an op whose inputs have one shape: before opset 8 it does not broadcast."""
    shapes = {None if value is None or value.shape is None else tuple(value.shape) for value in node.inputs}
    if len(shapes) > 1 or None in shapes:
        raise ConversionError(f"the inputs of {node.op_type} differ in shape; it broadcasts only from opset 8 on")
    return NodeSpec(node.op_type, tuple(node.inputs), dict(node.attributes))


def _dropout_off(node: ir.Node) -> NodeSpec:
    training = constant_input(node, 2)
    if training is not None and training.any():
        raise ConversionError("Dropout is in training mode")
    return NodeSpec("Dropout", (node.inputs[0],), {})


def _upsample(node: ir.Node) -> NodeSpec:
    attributes = {"mode": ir.AttrString("mode", "nearest"), "scales": ir.AttrFloat32s("scales", resize_scales(node))}
    return NodeSpec("Upsample", (node.inputs[0],), attributes)


REDUCTIONS = ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")

CONVERSIONS: Mapping[str, Conversion] = {
    "Pad": Conversion(11, _pad_attributes),
    **{f"Reduce{kind}": Conversion(18, _reduce_attributes) for kind in REDUCTIONS},
    "ReduceSum": Conversion(13, _reduce_attributes),
    "Squeeze": Conversion(13, _axes_attribute),
    "Unsqueeze": Conversion(13, _axes_attribute),
    "Reshape": Conversion(14, _reshape_plain),
    "Slice": Conversion(10, _slice_attributes),
    "Clip": Conversion(11, _clip_attributes),
    "Split": Conversion(13, _split_attribute),
    "Resize": Conversion(10, _upsample),
    "Upsample": Conversion(9, _upsample),
    "MaxPool": Conversion(10, _pool_floored),
    "AveragePool": Conversion(10, _pool_floored),
    "Gemm": Conversion(11, _gemm_with_bias),
    "Softmax": Conversion(13, _softmax_flattened),
    "LogSoftmax": Conversion(13, _softmax_flattened),
    "Hardmax": Conversion(13, _softmax_flattened),
    "Dropout": Conversion(12, _dropout_off),
    **{op: Conversion(8, _of_equal_shapes) for op in ("Sum", "Max", "Min", "Mean")},
}
"""By op type. An op that is missing here is written the same at every opset that has it, or cannot be converted."""
