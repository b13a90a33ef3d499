"""What a node means at another opset: the same form, another form with the same result, or nothing."""

from __future__ import annotations

import onnx
import onnx_ir as ir

from fns_lab.opset.conversions import CONVERSIONS, ConversionError, NodeSpec
from fns_lab.opset.nodes import rank


def convert(node: ir.Node, opset: int, to_opset: int) -> NodeSpec:
    """The form of `node`, written for `opset`, that gives the same result at `to_opset`.

    Raises `ConversionError` when there is none.
    """
    form = NodeSpec(node.op_type, tuple(node.inputs), dict(node.attributes))
    if opset == to_opset or node.domain not in ("", "ai.onnx"):
        return form
    if (conversion := CONVERSIONS.get(node.op_type)) and to_opset < conversion.below <= opset:
        form = conversion.function(node)
    form = NodeSpec(form.op_type, form.inputs, _older_attributes(node, form, opset, to_opset))
    _refuse_unless_valid(node, form, opset, to_opset)
    return form


def schema(op_type: str, opset: int) -> onnx.defs.OpSchema | None:
    """The schema in force for `op_type` at `opset`, None if there is none or it is deprecated there."""
    try:
        found = onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    return None if found.deprecated else found


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
"""Ops whose inputs and attributes look alike on both sides of this opset and mean something else."""


def _refuse_unless_valid(node: ir.Node, form: NodeSpec, opset: int, to_opset: int) -> None:
    there = schema(form.op_type, to_opset)
    if there is None:
        raise ConversionError(f"{form.op_type} does not exist at opset {to_opset}")
    changed_at = MEANING_CHANGED_AT.get(form.op_type, 0)
    if to_opset < changed_at <= opset:
        raise ConversionError(f"{form.op_type} changed its meaning at opset {changed_at}")
    if there.since_version == getattr(schema(form.op_type, opset), "since_version", None):
        return
    if unknown := sorted(set(form.attributes) - set(there.attributes)):
        raise ConversionError(f"{form.op_type} has no attribute {unknown[0]!r} at opset {to_opset}")
    if missing := sorted(n for n, a in there.attributes.items() if a.required and n not in form.attributes):
        raise ConversionError(f"{form.op_type} wants the attribute {missing[0]!r} at opset {to_opset}")
    given = len(form.inputs)
    if not there.min_input <= given <= there.max_input:
        raise ConversionError(f"{form.op_type} with {given} inputs does not exist at opset {to_opset}")
    for i, value in enumerate(form.inputs):
        if (kind := _type_name(value)) and kind not in there.inputs[min(i, len(there.inputs) - 1)].types:
            raise ConversionError(f"{form.op_type} takes no {kind} at opset {to_opset}")
    if sum(bool(value.uses() or value.is_graph_output()) for value in node.outputs) > there.max_output:
        raise ConversionError(f"{form.op_type} has {there.max_output} outputs at opset {to_opset}")


def _type_name(value: ir.Value | None) -> str | None:
    """The type as ONNX's schemas write it, such as `tensor(float)`; None if it is unknown or no tensor."""
    if value is None or not isinstance(value.type, ir.TensorType):
        return None
    return f"tensor({value.dtype.name.lower()})"


def _older_attributes(node: ir.Node, form: NodeSpec, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    attributes = _without_defaults(form, opset, to_opset)
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


def _without_defaults(form: NodeSpec, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    """Leave out attributes that are unknown at `to_opset` and hold their default, which is what the older op did."""
    here, there = schema(form.op_type, opset), schema(form.op_type, to_opset)
    if here is None or there is None:
        return dict(form.attributes)
    return {
        name: attribute
        for name, attribute in form.attributes.items()
        if name in there.attributes or not _is_default(here, attribute)
    }


def _is_default(op: onnx.defs.OpSchema, attribute: ir.Attr) -> bool:
    if attribute.name not in op.attributes:
        return False
    default = op.attributes[attribute.name].default_value
    return default.type != onnx.AttributeProto.UNDEFINED and ir.from_proto(default).value == attribute.value
