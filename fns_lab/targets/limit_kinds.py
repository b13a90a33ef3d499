"""Kinds of quirk that bound an op rather than break it: how many inputs, of which rank, written since when."""

from __future__ import annotations

from collections.abc import Callable

import onnx_ir as ir

from fns_lab.opset.convert import schema
from fns_lab.targets.target import Quirk

EVERY_OP = "*"


def _extra_outputs(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and len(node.outputs) > 1


def _input_count(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and len(node.inputs) not in quirk.counts


def _omitted_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return (node.op_type in quirk.ops or EVERY_OP in quirk.ops) and None in node.inputs


def _operand_ranks(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    ranks = [len(value.shape) for value in node.inputs if value is not None and value.shape is not None]
    return node.op_type in quirk.ops and not set(ranks) <= set(quirk.ranks)


def _operand_types(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    types = {value.dtype.name for value in node.inputs if value is not None and value.dtype is not None}
    return node.op_type in quirk.ops and not types <= set(quirk.types)


def _empty_value(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    shapes = [value.shape for value in (*node.inputs, *node.outputs) if value is not None and value.shape is not None]
    return (node.op_type in quirk.ops or EVERY_OP in quirk.ops) and any(0 in shape for shape in shapes)


def _steps(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    if node.op_type not in quirk.ops or len(node.inputs) < 5 or node.inputs[4] is None:
        return False
    steps = ir.convenience.get_const_tensor(node.inputs[4])
    return steps is None or bool((steps.numpy() != 1).any())


def _newer_attributes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    if node.op_type not in quirk.ops:
        return False
    known = schema(node.op_type, quirk.opset).attributes
    return any(name not in known and _says_something(a) for name, a in node.attributes.items())


def _says_something(attribute: ir.Attr) -> bool:
    """Whether it is more than what an op does without: numbers 0 (flags, starts), a list of ones (dilations)."""
    if attribute.type == ir.AttributeType.INTS:
        return any(number != 1 for number in attribute.as_ints())
    return attribute.value != 0


def _broken_since(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and opset >= quirk.opset


LIMIT_KINDS: dict[str, Callable[[ir.Node, Quirk, int], bool]] = {
    "extra-outputs": _extra_outputs,
    "input-count": _input_count,
    "omitted-input": _omitted_input,
    "operand-ranks": _operand_ranks,
    "operand-types": _operand_types,
    "empty-value": _empty_value,
    "steps": _steps,
    "newer-attributes": _newer_attributes,
    "broken-since": _broken_since,
}
"""Which nodes a quirk touches: those with a second output; with another number of inputs than `counts`; with an input
left out between others; with an operand of a rank not in `ranks`, of a type not in `types`; with a value that has no
elements; a Slice that skips; with an attribute younger than `opset`; written for `opset` or later."""
