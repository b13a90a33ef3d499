"""How pooling is written at older opsets: without `ceil_mode`, and without dilations of 1."""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size
from fns_lab.opset.spec import ConversionError, NodeSpec, unmodified


def without_ceil_mode(node: ir.Node) -> NodeSpec:
    """Replace `ceil_mode` by padding: one more window at the end is the same as that much more padding there."""
    spec = plain_window(node)
    attributes = dict(spec.attributes)
    ceil_mode = attributes.pop("ceil_mode", None)
    if ceil_mode is None or not ceil_mode.as_int():
        return NodeSpec(node.op_type, spec.inputs, attributes)
    stated, pads = _stated_pads(node), _pads_to_cover(node)
    if node.attributes.get_int("count_include_pad", 0) and pads != stated:
        if any(stated):
            raise ConversionError("AveragePool counts its padding but not what ceil_mode adds")
        del attributes["count_include_pad"]
    return NodeSpec(node.op_type, spec.inputs, attributes | {"pads": ir.AttrInt64s("pads", pads)})


def plain_window(node: ir.Node) -> NodeSpec:
    """Leave out dilations that are all 1, and keep only windows that begin inside the input.

    A window that begins past it, which `ceil_mode` may add, counts before opset 22 only.
    """
    spec = unmodified(node)
    attributes = dict(spec.attributes)
    if "dilations" in attributes and set(attributes["dilations"].as_ints()) == {1}:
        del attributes["dilations"]
    if node.attributes.get_int("ceil_mode", 0):
        _pads_to_cover(node)
    return NodeSpec(spec.op_type, spec.inputs, attributes)


def _stated_pads(node: ir.Node) -> list[int]:
    return list(node.attributes.get_ints("pads", [0] * 2 * len(node.attributes["kernel_shape"].as_ints())))


def _pads_to_cover(node: ir.Node) -> list[int]:
    attributes = node.attributes
    if attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise ConversionError(f"{node.op_type} has both ceil_mode and auto_pad")
    kernel = attributes["kernel_shape"].as_ints()
    dimensions, pads = len(kernel), _stated_pads(node)
    strides = attributes.get_ints("strides", [1] * dimensions)
    dilations = attributes.get_ints("dilations", [1] * dimensions)
    for i in range(dimensions):
        extent = (kernel[i] - 1) * dilations[i] + 1
        size = fixed_size(node.inputs[0], 2 + i) + pads[i]
        windows = math.ceil((size + pads[dimensions + i] - extent) / strides[i]) + 1
        if (windows - 1) * strides[i] >= size:  # ONNX's shape inference counts it, ONNX Runtime does not
            raise ConversionError(f"the last window of {node.op_type} lies in its padding")
        pads[dimensions + i] = max(0, (windows - 1) * strides[i] + extent - size)
    return pads
