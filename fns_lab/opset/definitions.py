"""Nodes that are not as ONNX defines their op: no engine can run them, and some of onnx's own C++ crashes on them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from onnx import AttributeProto, ModelProto, NodeProto, OperatorSetIdProto
from onnx.defs import OpSchema, SchemaError, get_schema

from fns_lab.errors import InputError, one_line
from fns_lab.models import ONNX_DOMAINS, walk
from fns_lab.opset.nodes import NodeError

_OPTION = OpSchema.FormalParameterOption
_TYPES = {
    number: getattr(OpSchema.AttrType, kind)
    for kind, number in AttributeProto.AttributeType.items()
    if kind != "UNDEFINED"
}
BROKEN = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, AssertionError, MemoryError)
"""Exceptions that reading a node raises where its op is defined but a value invalid, such as an axis too high."""


def require_defined(model: ModelProto) -> None:
    """Raise `InputError` for the first node of ONNX's own ops that is not as its schema says.

    Looked at are the number of inputs and outputs, and the names and types of attributes. A node of an op that onnx
    does not know, or of another domain, is left to the target.
    """
    _require(walk(model.graph), _opset(model.opset_import))
    for function in model.functions:
        nodes = (inner for node in function.node for inner in (node, *_inner(node)))
        _require(nodes, _opset(function.opset_import) or _opset(model.opset_import))


@contextlib.contextmanager
def node_errors(op_type: str) -> Iterator[None]:
    """Raise as a `NodeError` whatever reading a node raises: the node contradicts its inputs."""
    try:
        yield
    except BROKEN as error:
        raise NodeError(f"{op_type} contradicts its inputs ({type(error).__name__}: {one_line(error, 100)})") from error


def _require(nodes: Iterable[NodeProto], opset: int) -> None:
    for node in nodes:
        faults = [_fault(node, op) for op in _definitions(node, opset)]
        if faults and all(faults):
            raise InputError(f"the {node.op_type} node {node.name or list(node.output)!r} is broken: {faults[0]}")


def _definitions(node: NodeProto, opset: int) -> list[OpSchema]:
    """Return the schemas that a node may follow: that in force, and where it deprecates the op all before it.

    Engines run deprecated ops as they were before. There is none for an op that onnx does not know.
    """
    found: list[OpSchema] = []
    with contextlib.suppress(SchemaError):
        while node.domain in ONNX_DOMAINS and (not found or found[0].deprecated):
            found.append(get_schema(node.op_type, found[-1].since_version - 1 if found else opset, ""))
    return found


def _fault(node: NodeProto, op: OpSchema) -> str | None:
    for what, values, least, most in (
        ("input", node.input, op.min_input, op.max_input),
        ("output", node.output, op.min_output, op.max_output),
    ):
        if not least <= len(values) <= most:
            counted = f"{len(values)} {what}" if len(values) == 1 else f"{len(values)} {what}s"
            return f"it has {counted}, and takes {least if least == most else f'{least} to {most}'}"
    for index, name in enumerate(node.input):
        option = op.inputs[min(index, len(op.inputs) - 1)].option
        if not name and (option == _OPTION.Variadic or (option == _OPTION.Single and index == 0)):
            return f"its input {index} is missing"
    return _attribute_fault(node.attribute, op.attributes)


def _attribute_fault(attributes: Sequence[AttributeProto], known: Mapping[str, OpSchema.Attribute]) -> str | None:
    names = [attribute.name for attribute in attributes]
    for attribute in attributes:
        if attribute.name not in known:
            return f"it has no attribute {attribute.name!r}"
        if names.count(attribute.name) > 1:
            return f"its attribute {attribute.name!r} is there twice"
        if _TYPES.get(attribute.type) != known[attribute.name].type:
            return f"its attribute {attribute.name!r} is of another type"
    missing = [name for name, attribute in known.items() if attribute.required and name not in names]
    return f"it has no {missing[0]!r}" if missing else None


def _inner(node: NodeProto) -> Iterator[NodeProto]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            yield from walk(graph)


def _opset(imports: Iterable[OperatorSetIdProto]) -> int:
    return max((each.version for each in imports if each.domain in ONNX_DOMAINS), default=0)
