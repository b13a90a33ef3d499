"""What ONNX's schema of an op allows at an opset: attributes and their values, inputs, outputs and element types."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import onnx
import onnx_ir as ir

from fns_lab.opset.spec import ConversionError, NodeSpec

ONE_AXIS_SINCE = 13
"""Opset from which Softmax, LogSoftmax and Hardmax run along one axis; before, along it and all later ones."""


def schema(op_type: str, opset: int) -> onnx.defs.OpSchema | None:
    """Return the schema in force for `op_type` at `opset`, None if there is none or it is deprecated there."""
    try:
        op = onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    return None if op.deprecated else op


def unnamed_required_output(node: ir.Node, opset: int) -> int | None:
    """Return the number of the first output that the op must have and `node` leaves out, None if there is none."""
    op = schema(node.op_type, opset)
    required = [output.option == onnx.defs.OpSchema.FormalParameterOption.Single for output in op.outputs] if op else []
    given = [index < len(node.outputs) and bool(node.outputs[index].name) for index in range(len(required))]
    return next((index for index, needed in enumerate(required) if needed and not given[index]), None)


def inputs_of_any_type(node: ir.Node, opset: int) -> list[int]:
    """Return the numbers of the node's inputs but for those of one element type, such as axes; all if ONNX knows none.

    An input whose type the op leaves open shares it with another input or an output, or has a choice of its own.
    """
    op = schema(node.op_type, opset)
    if op is None or not op.inputs:
        return list(range(len(node.inputs)))
    open_types = {constraint.type_param_str for constraint in op.type_constraints}
    parameters = (op.inputs[min(index, len(op.inputs) - 1)] for index in range(len(node.inputs)))
    return [index for index, parameter in enumerate(parameters) if parameter.type_str in open_types]


MEANING_CHANGED_AT: Mapping[str, int] = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Pow", "And", "Or", "Xor", "Equal", "Less", "Greater"), 7),
    **dict.fromkeys(("PRelu", "Gemm", "BatchNormalization", "Dropout", "GRU", "LSTM", "RNN"), 7),
    "Scan": 9,
    "GroupNormalization": 21,
}
"""Ops whose inputs and attributes look the same before and after this opset, but mean something else."""

VALUES_SINCE: Mapping[tuple[str, str], Mapping[str, int]] = {
    ("Pad", "mode"): {"wrap": 19},
    ("Resize", "mode"): {"cubic": 11},
    ("Resize", "coordinate_transformation_mode"): {"half_pixel_symmetric": 19},
    ("ScatterElements", "reduction"): {"max": 18, "min": 18},
    ("ScatterND", "reduction"): {"max": 18, "min": 18},
}
"""By op and attribute: values that came later than the attribute, with their first opset."""


def raise_unless_valid(spec: NodeSpec, outputs: Sequence[ir.Value], opset: int, to_opset: int) -> None:
    """Raise `ConversionError` unless `spec`, written for `opset`, is valid at `to_opset` and means the same there."""
    op, there = spec.op_type, schema(spec.op_type, to_opset)
    if there is None:
        raise ConversionError(f"{op} does not exist at opset {to_opset}")
    changed_at = MEANING_CHANGED_AT.get(op, 0)
    if min(opset, to_opset) < changed_at <= max(opset, to_opset):
        raise ConversionError(f"{op} changed its meaning at opset {changed_at}")
    if there.since_version == getattr(schema(op, opset), "since_version", None):
        return
    for fault in (*_attribute_faults(spec, there, to_opset), *_value_faults(spec, there, outputs)):
        raise ConversionError(f"{op} {fault} at opset {to_opset}")


def _attribute_faults(spec: NodeSpec, there: onnx.defs.OpSchema, to_opset: int) -> Iterator[str]:
    for name, attribute in sorted(spec.attributes.items()):
        if name not in there.attributes:
            yield f"has no attribute {name!r}"
        elif str(there.attributes[name].type) != f"AttrType.{attribute.type.name}":
            yield f"takes another kind of attribute {name!r}"
        elif VALUES_SINCE.get((spec.op_type, name), {}).get(str(attribute.value), 0) > to_opset:
            yield f"has no {name} {attribute.value!r}"
    for name, described in sorted(there.attributes.items()):
        if described.required and name not in spec.attributes:
            yield f"needs the attribute {name!r}"


def _value_faults(spec: NodeSpec, there: onnx.defs.OpSchema, outputs: Sequence[ir.Value]) -> Iterator[str]:
    if not there.min_input <= len(spec.inputs) <= there.max_input:
        yield f"with {len(spec.inputs)} inputs does not exist"
        return
    used = [value if value.uses() or value.is_graph_output() else None for value in outputs]
    while used and used[-1] is None:
        used.pop()
    if len(used) > there.max_output:
        yield f"with {len(used)} outputs does not exist"
        return
    for index, value in enumerate(spec.inputs):
        parameter = there.inputs[min(index, len(there.inputs) - 1)]
        if value is None and parameter.option == onnx.defs.OpSchema.FormalParameterOption.Single:
            yield f"needs its input {index}, {parameter.name},"
    yield from _type_faults(spec.inputs, there.inputs, used, there.outputs)


Parameters = Sequence[onnx.defs.OpSchema.FormalParameter]
"""The inputs or outputs that an op's schema names."""


def _type_faults(
    inputs: Sequence[ir.Value | None], takes: Parameters, outputs: Sequence[ir.Value | None], gives: Parameters
) -> Iterator[str]:
    bound: dict[str, str] = {}
    for verb, values, parameters in (("take", inputs, takes), ("give", outputs, gives)):
        for index, value in enumerate(values):
            name, parameter = _type_name(value), parameters[min(index, len(parameters) - 1)]
            if name is None:
                continue
            if name not in parameter.types:
                yield f"does not {verb} {name}"
            if parameter.is_homogeneous and bound.setdefault(parameter.type_str, name) != name:
                yield f"does not take {bound[parameter.type_str]} together with {name}"


def _type_name(value: ir.Value | None) -> str | None:
    return None if value is None or value.type is None else _written(value.type)


def _written(value_type: ir.TypeProtocol) -> str | None:
    """Return the type as ONNX's schemas write it, such as `tensor(float)`; None if it is unknown."""
    if isinstance(value_type, ir.TensorType):
        dtype = value_type.dtype
        return None if dtype == ir.DataType.UNDEFINED else f"tensor({dtype.name.lower()})"
    for kind, written in ((ir.SequenceType, "seq"), (ir.OptionalType, "optional")):
        if isinstance(value_type, kind):
            inner = _written(value_type.elem_type)
            return inner and f"{written}({inner})"
    return None


def is_default(op: onnx.defs.OpSchema, attribute: ir.Attr) -> bool:
    """Return whether an attribute states the value that the op has without it."""
    default = default_of(op, attribute.name)
    return default is not None and bool(default.value == attribute.value)


def default_of(op: onnx.defs.OpSchema, name: str) -> ir.Attr | None:
    """Return the default of an attribute, None if it has none."""
    if (op.name, name) == ("ConstantOfShape", "value"):  # in its documentation alone
        return ir.AttrTensor(name, ir.tensor([0.0], ir.DataType.FLOAT))
    if name not in op.attributes or op.attributes[name].default_value.type == onnx.AttributeProto.UNDEFINED:
        return None
    return ir.serde.deserialize_attribute(op.attributes[name].default_value)


def unstated_defaults(op_type: str, stated: Collection[str], opset: int) -> list[onnx.AttributeProto]:
    """Return the attributes that a node leaves out and that have a default.

    The body of an op that ONNX defines as a function refers to them, and onnx's inliner needs them stated.
    """
    op = schema(op_type, opset)
    attributes = {} if op is None else op.attributes
    defaults = [attributes[name].default_value for name in sorted(set(attributes) - set(stated))]
    return [default for default in defaults if default.type != onnx.AttributeProto.UNDEFINED]
