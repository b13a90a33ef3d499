"""Convert a node to another opset: find how to write it there so that it gives the same result, or say why not."""

from __future__ import annotations

from collections.abc import Mapping

import onnx_ir as ir

from fns_lab.models import ONNX_DOMAINS
from fns_lab.opset.conversions import CONVERSIONS, squeeze_attribute, unsqueeze_attribute
from fns_lab.opset.definitions import node_errors
from fns_lab.opset.nodes import from_the_front, rank
from fns_lab.opset.schemas import default_of, is_default, raise_unless_valid, schema
from fns_lab.opset.slicing import slice_attributes
from fns_lab.opset.spec import ConversionError, NodeSpec, unmodified

__all__ = ["ConversionError", "NodeSpec", "convert", "is_written_alike", "schema"]


def convert(node: ir.Node, opset: int, to_opset: int) -> NodeSpec:
    """Return how `node`, written for `opset`, is written at `to_opset` so that it gives the same result.

    Also if `to_opset` is `opset`, axes are counted from the front before opset 11, and a Squeeze states its axes before
    opset 13 if the shape says which they are: engines of that time need both. Raises `ConversionError`, or another
    `NodeError`, if the node cannot be written at `to_opset`.
    """
    if node.domain not in ONNX_DOMAINS:
        return unmodified(node)
    with node_errors(node.op_type):
        if opset == to_opset:
            return _axes_stated(node, opset)
        spec = _respelled(node, opset, to_opset)
        spec = NodeSpec(spec.op_type, spec.inputs, _attributes_at(node, spec, opset, to_opset))
        raise_unless_valid(spec, node.outputs, opset, to_opset)
    return spec


def is_written_alike(node: ir.Node, opset: int, to_opset: int) -> bool:
    """Return whether `node`, written for `opset`, gives the same result when it is read as of `to_opset`.

    An attribute that `to_opset` does not know counts as ignored if it holds its default. Raises `NodeError` if the
    node cannot be written at `to_opset` at all.
    """
    if opset == to_opset:
        return True
    spec = convert(node, opset, to_opset)
    before = {name: attribute.value for name, attribute in node.attributes.items()}
    changed = any(before.get(name) != attribute.value for name, attribute in spec.attributes.items())
    return not changed and spec.op_type == node.op_type and spec.inputs == tuple(node.inputs)


SQUEEZE_INPUT_SINCE = 13
"""Opset from which on the axes of Squeeze and Unsqueeze are an input."""
NEGATIVE_AXES_SINCE = 11
"""Opset from which on axes may count from the end."""


def _respelled(node: ir.Node, opset: int, to_opset: int) -> NodeSpec:
    for conversion in CONVERSIONS.get(node.op_type, ()):
        if to_opset < conversion.below <= opset:
            return conversion.function(node)
        if opset < conversion.below <= to_opset:
            raise ConversionError(f"{node.op_type} is written differently from opset {conversion.below} on")
    return _axes_stated(node, opset)


def _axes_stated(node: ir.Node, opset: int) -> NodeSpec:
    """State the axes as the oldest engines need them. One counted from the end stays so if the rank is unknown."""
    if node.op_type == "Squeeze" and opset < SQUEEZE_INPUT_SINCE:
        return squeeze_attribute(node)
    x = node.inputs[0] if node.inputs else None
    if opset >= NEGATIVE_AXES_SINCE or node.op_type == "OneHot" or x is None or x.shape is None:
        return unmodified(node)  # OneHot has always counted from the end, in its output
    if node.op_type == "Unsqueeze":
        return unsqueeze_attribute(node)
    spec = slice_attributes(node) if node.op_type == "Slice" and "starts" in node.attributes else unmodified(node)
    return NodeSpec(spec.op_type, spec.inputs, _axes_from_the_front(spec.attributes, node))


def _attributes_at(node: ir.Node, spec: NodeSpec, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    attributes = _with_the_same_defaults(spec, opset, to_opset)
    return _axes_from_the_front(attributes, node) if to_opset < NEGATIVE_AXES_SINCE <= opset else attributes


def _axes_from_the_front(attributes: Mapping[str, ir.Attr], node: ir.Node) -> dict[str, ir.Attr]:
    axes = {"axis", "axes"} & set(attributes)
    return dict(attributes) | {name: _counted_from_the_front(attributes[name], node) for name in axes}


def _counted_from_the_front(attribute: ir.Attr, node: ir.Node) -> ir.Attr:
    if attribute.type == ir.AttributeType.INTS:
        axes = [axis if axis >= 0 else from_the_front(axis, rank(node)) for axis in attribute.as_ints()]
        return ir.AttrInt64s(attribute.name, axes)
    axis = attribute.as_int()
    return attribute if axis >= 0 else ir.AttrInt64(attribute.name, from_the_front(axis, rank(node)))


def _with_the_same_defaults(spec: NodeSpec, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    """State an attribute that is left out and has another default at `to_opset`; leave out what it does not know.

    An attribute that `to_opset` does not know is left out if it holds its default, as the op did without it.
    """
    here, there = schema(spec.op_type, opset), schema(spec.op_type, to_opset)
    if here is None or there is None:
        return dict(spec.attributes)
    attributes = {
        name: attribute
        for name, attribute in spec.attributes.items()
        if name in there.attributes or not is_default(here, attribute)
    }
    for name in sorted(set(here.attributes) & set(there.attributes) - set(attributes)):
        default = default_of(here, name)
        if default is not None and default.value != getattr(default_of(there, name), "value", None):
            attributes[name] = default
    return attributes
