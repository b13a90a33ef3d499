"""How a node is written at some opset, and what every conversion needs to say it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import NodeError


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
    """A change in how an op is written: `function` converts a node from opset `below` or later to one before it."""

    below: int
    function: Callable[[ir.Node], NodeSpec]


def unmodified(node: ir.Node) -> NodeSpec:
    """Return how `node` is written now."""
    return NodeSpec(node.op_type, tuple(node.inputs), dict(node.attributes))


def float_attribute(node: ir.Node, name: str, number: np.ndarray) -> ir.Attr:
    """Return `number`, one value in an array, as an attribute. Raises `ConversionError` if float32 cannot hold it."""
    if number.size != 1:
        raise ConversionError(f"{name} of {node.op_type} holds {number.size} values, not one")
    value = float(number.item())
    if float(np.float32(np.clip(value, -FLOAT32_MAX, FLOAT32_MAX))) != value and np.isfinite(value):
        raise ConversionError(f"{name} of {node.op_type} is {value}, which the float32 of an attribute cannot hold")
    return ir.AttrFloat32(name, value)


FLOAT32_MAX = float(np.finfo(np.float32).max)
"""Largest finite number in float32."""


def new_constant(node: ir.Node, array: np.ndarray, name: str) -> ir.Value:
    """Return an initializer that is in no graph yet, named after the first named output of `node` and `name`."""
    return constant(array, f"{next(output.name for output in node.outputs if output.name)}.{name}")


def constant(array: np.ndarray, name: str) -> ir.Value:
    """Return an initializer that is in no graph yet."""
    tensor = _string_tensor(array, name) if array.dtype.kind in "OSU" else ir.tensor(array, name=name)
    return ir.Value(name=name, type=ir.TensorType(tensor.dtype), shape=ir.Shape(array.shape), const_value=tensor)


def _string_tensor(array: np.ndarray, name: str) -> ir.StringTensor:
    """Return strings as a tensor that can be written to a file, which onnx_ir's tensor of an array of them can't."""
    strings = [text if isinstance(text, bytes) else str(text).encode() for text in array.reshape(-1)]
    return ir.StringTensor(strings, shape=ir.Shape(array.shape), name=name)
