"""Convert a node to another opset: find how to write it there so that it gives the same result, or say why not."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from fns_lab.opset.conversions import CONVERSIONS, ConversionError, NodeSpec
from fns_lab.opset.nodes import rank


def convert(node: ir.Node, opset: int, to_opset: int) -> NodeSpec:
    """Return how `node`, written for `opset`, is written at `to_opset` so that it gives the same result.

    Raises `ConversionError`, or another `NodeError`, if it cannot be written there.
    """
    spec = NodeSpec(node.op_type, tuple(node.inputs), dict(node.attributes))
    if opset == to_opset or node.domain not in ("", "ai.onnx"):
        return spec
    if (conversion := CONVERSIONS.get(node.op_type)) and to_opset < conversion.below <= opset:
        spec = conversion.function(node)
    spec = NodeSpec(spec.op_type, spec.inputs, _attributes_at(node, spec, opset, to_opset))
    _raise_unless_valid(spec, [value for value in node.outputs if _is_used(value)], opset, to_opset)
    return spec


def is_written_alike(node: ir.Node, opset: int, to_opset: int) -> bool:
    """Return whether `node`, written for `opset`, gives the same result when it is read as of `to_opset`.

    An attribute that `to_opset` does not know counts as ignored if it holds its default. Raises `NodeError` if the
    node cannot be written at `to_opset` at all.
    """
    spec = convert(node, opset, to_opset)
    before = {name: attribute.value for name, attribute in node.attributes.items()}
    changed = any(before.get(name) != attribute.value for name, attribute in spec.attributes.items())
    return not changed and spec.op_type == node.op_type and spec.inputs == tuple(node.inputs)


def schema(op_type: str, opset: int) -> onnx.defs.OpSchema | None:
    """Return the schema in force for `op_type` at `opset`, None if there is none or it is deprecated there."""
    try:
        op = onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    return None if op.deprecated else op


MEANING_CHANGED_AT = {
    "GroupNormalization": 21,
    "BatchNormalization": 7,
    "Add": 7,
    "Sub": 7,
    "Mul": 7,
    "Div": 7,
    "Pow": 7,
    "And": 7,
    "Or": 7,
    "Xor": 7,
    "Equal": 7,
    "Less": 7,
    "Greater": 7,
    "PRelu": 7,
    "Gemm": 7,
}
"""Ops whose inputs and attributes look the same before and after this opset, but mean something else."""


def _raise_unless_valid(spec: NodeSpec, used_outputs: list[ir.Value], opset: int, to_opset: int) -> None:
    op, there = spec.op_type, schema(spec.op_type, to_opset)
    if there is None:
        raise ConversionError(f"{op} does not exist at opset {to_opset}")
    changed_at = MEANING_CHANGED_AT.get(op, 0)
    if to_opset < changed_at <= opset:
        raise ConversionError(f"{op} changed its meaning at opset {changed_at}")
    if there.since_version == getattr(schema(op, opset), "since_version", None):
        return
    if unknown := sorted(set(spec.attributes) - set(there.attributes)):
        raise ConversionError(f"{op} has no attribute {unknown[0]!r} at opset {to_opset}")
    if missing := sorted(n for n, a in there.attributes.items() if a.required and n not in spec.attributes):
        raise ConversionError(f"{op} needs the attribute {missing[0]!r} at opset {to_opset}")
    if not there.min_input <= len(spec.inputs) <= there.max_input:
        raise ConversionError(f"{op} with {len(spec.inputs)} inputs does not exist at opset {to_opset}")
    for i, value in enumerate(spec.inputs):
        if (name := _type_name(value)) and name not in there.inputs[min(i, len(there.inputs) - 1)].types:
            raise ConversionError(f"{op} does not take {name} at opset {to_opset}")
    if len(used_outputs) > there.max_output:
        raise ConversionError(f"{op} has at most {there.max_output} outputs at opset {to_opset}")


def _is_used(value: ir.Value) -> bool:
    return bool(value.uses() or value.is_graph_output())


def _type_name(value: ir.Value | None) -> str | None:
    """Return the type as ONNX's schemas write it, such as `tensor(float)`; None if it is unknown or no tensor."""
    if value is None or not isinstance(value.type, ir.TensorType):
        return None
    return f"tensor({value.type.dtype.name.lower()})"


def _attributes_at(node: ir.Node, spec: NodeSpec, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    attributes = _without_defaults(spec, opset, to_opset)
    if to_opset < NEGATIVE_AXES_SINCE <= opset:
        for name in {"axis", "axes"} & set(attributes):
            attributes[name] = _from_the_front(attributes[name], node)
    return attributes


NEGATIVE_AXES_SINCE = 11


def _from_the_front(attribute: ir.Attr, node: ir.Node) -> ir.Attr:
    if attribute.type == ir.AttributeType.INTS:
        axes = [a if a >= 0 else a + rank(node) for a in attribute.as_ints()]
        return ir.AttrInt64s(attribute.name, axes)
    axis = attribute.as_int()
    return attribute if axis >= 0 else ir.AttrInt64(attribute.name, axis + rank(node))


def _without_defaults(spec: NodeSpec, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    """Leave out attributes that `to_opset` does not know and that hold their default, as the op did without them."""
    here, there = schema(spec.op_type, opset), schema(spec.op_type, to_opset)
    if here is None or there is None:
        return dict(spec.attributes)
    return {
        name: attribute
        for name, attribute in spec.attributes.items()
        if name in there.attributes or not _is_default(here, attribute)
    }


def _is_default(op: onnx.defs.OpSchema, attribute: ir.Attr) -> bool:
    if attribute.name not in op.attributes:
        return False
    default = op.attributes[attribute.name].default_value
    if default.type == onnx.AttributeProto.UNDEFINED:
        return False
    return bool(ir.serde.deserialize_attribute(default).value == attribute.value)
