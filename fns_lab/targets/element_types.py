"""The element types that a target's ops take."""

from __future__ import annotations

from collections.abc import Iterator

import onnx_ir as ir
from onnx.defs import OpSchema

from fns_lab.opset.schemas import schema
from fns_lab.targets.target import Target, matches

CONVERTS = frozenset({"Cast", "CastLike", "EyeLike"})
"""Ops whose output type does not follow from the inputs, so that it must be supported too."""
DATA_INPUT = {"Where": 1}
"""The first input that holds data, where it is not input 0."""


def type_refusal(node: ir.Node, target: Target, opset: int) -> str:
    """Return why `target` cannot run `node` with the types of its data; empty if it can or if they are not known.

    The types that count are those of the first input that holds data and of all inputs and outputs that ONNX wants of
    the same type. Axes, shapes, indices and conditions do not count.
    """
    op = schema(node.op_type, opset)
    taken = _taken(node.op_type, target, op, opset)
    if op is None or taken is None:
        return ""
    for dtype in _data_types(node, op):
        if dtype not in taken:
            takes = ", ".join(name.lower() for name in taken) or "none"
            return f"{node.op_type} of {dtype.lower()}; the {target.backend} backend takes {takes}"
    return ""


def taken_types(op_type: str, target: Target, opset: int) -> frozenset[str]:
    """Return the types, such as `FLOAT`, that the data of an op may have at an opset and that `target` takes."""
    op = schema(op_type, opset)
    if op is None or not op.inputs:
        return frozenset()
    written = {name.removeprefix("tensor(").removesuffix(")") for name in data_parameter(op).types}
    allowed = {name.upper() for name in written}
    taken = _taken(op_type, target, op, opset)
    return frozenset(allowed if taken is None else allowed.intersection(taken))


def data_parameter(op: OpSchema) -> OpSchema.FormalParameter:
    """Return the first input of an op that holds data, or its first output if it has no input."""
    return op.inputs[DATA_INPUT.get(op.name, 0)] if op.inputs else op.outputs[0]


def _taken(op_type: str, target: Target, op: OpSchema | None, opset: int) -> list[str] | None:
    """Return the types that the target's op takes at an opset; None if it takes all, or if that is not known."""
    if op is not None and not op.inputs:  # a constant: the nodes that read it have types too
        return None
    if op_type in target.op_types:
        types = target.op_types[op_type]
    elif op is not None and "tensor(float)" in data_parameter(op).types:
        types = target.types
    else:  # an op of integers or booleans alone, which the types of the others say nothing about
        return None
    entries = [entry.split() for entry in types]
    return [name for name, *since in entries if not since or matches(since[0], opset)] if "*" not in types else None


def _data_types(node: ir.Node, op: OpSchema) -> Iterator[str]:
    constraint = data_parameter(op).type_str
    for values, parameters in ((node.inputs, op.inputs), (node.outputs, op.outputs)):
        for index, value in enumerate(values):
            counts = parameters[min(index, len(parameters) - 1)].type_str == constraint
            if value is not None and value.dtype is not None and counts:
                yield value.dtype.name
    if op.name in CONVERTS and node.outputs[0].dtype is not None:
        yield node.outputs[0].dtype.name
