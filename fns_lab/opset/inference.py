"""Types and shapes of a model's values, as they follow from its inputs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import onnx
import onnx_ir as ir

from fns_lab import models
from fns_lab.opset.nodes import input_shape, name_of

Claim = tuple[ir.TypeProtocol | None, ir.Shape | None]
"""Type and shape that a file claims of a value."""
LARGE = 1024
"""Bytes from which a constant's values are not given to shape inference: none of the ops looks at so many."""


def infer(model: ir.Model) -> None:
    """In place: give each value the type and shape that follow from the model's inputs, where any do.

    A node whose inputs contradict each other ends nothing but its own inference.
    """
    try:
        proto = _without_large_constants(model)
        for node in models.walk(proto.graph):
            _state_onesided(node)
        inferred = ir.from_proto(onnx.shape_inference.infer_shapes(proto, data_prop=True))
    except Exception:  # what onnx's C++ raises has no common class; nothing more is known then
        return
    for graph, inferred_graph in zip(model.graphs(), inferred.graphs(), strict=True):
        found = {value.name: value for value in _values(inferred_graph)}
        for value in _values(graph):
            if value.const_value is None and (same := found.get(value.name)):
                value.type = value.type if same.type is None else same.type
                value.shape = value.shape if same.shape is None else same.shape


def infer_anew(model: ir.Model) -> None:
    """In place: give each value the type and shape that follow from the model's inputs, whatever the file claims.

    What the file claims of computed values counts only where nothing follows, and its sizes only if the sizes of all
    inputs are fixed: exporters trace a network at one size and free its inputs afterwards. A size below 0, which some
    exporters write for a free one, is free. Weights have the types and shapes of their tensors.
    """
    free_negative_sizes(model.graph.inputs)
    _read_weights(model)
    claims = _forgotten(model)
    infer(model)
    sizes_count = all(map(is_fixed, model.graph.inputs))
    completed = [value for value, claim in claims.items() if _complete(value, claim, sizes_count)]
    if completed:
        infer(model)


def free_negative_sizes(values: Iterable[ir.Value]) -> None:
    """In place: make sizes below 0, which some exporters write for free ones, free without a name."""
    for value in values:
        if value.shape is not None and any(isinstance(size, int) and size < 0 for size in value.shape):
            value.shape = ir.Shape([None if isinstance(size, int) and size < 0 else size for size in value.shape])


def _read_weights(model: ir.Model) -> None:
    """In place: give each initializer the type and shape of its tensor, whatever the file says of it."""
    for graph in model.graphs():
        for value in graph.initializers.values():
            if (tensor := value.const_value) is not None:
                value.type, value.shape = ir.TensorType(tensor.dtype), ir.Shape(tensor.shape.numpy())


def _forgotten(model: ir.Model) -> dict[ir.Value, Claim]:
    """In place: forget what the file claims of computed values and return it.

    The outputs of ops that onnx has no schema for keep it, since inference could not go on without.
    """
    claims: dict[ir.Value, Claim] = {}
    for value in _inputs_of_bodies(model):
        claims[value] = (value.type, value.shape)
    for node in model.graph.all_nodes():
        free_negative_sizes(node.outputs)
        if onnx.defs.has(node.op_type, node.domain):
            claims |= {value: (value.type, value.shape) for value in node.outputs}
    for value in claims:
        value.type = value.shape = None
    return claims


def _complete(value: ir.Value, claim: Claim, sizes_count: bool) -> bool:
    """In place: take what is unknown of a value from the claim. Returns whether anything was taken."""
    claimed_type, claimed = claim
    before = (value.type, value.shape)
    value.type = value.type or claimed_type
    if claimed is not None and has_other_rank(value, claimed):
        claimed = None
    if claimed is not None and (value.shape is None or len(value.shape) == len(claimed)):
        known = value.shape if value.shape is not None else ir.Shape([None] * len(claimed))
        pairs = zip(known, claimed, strict=True)
        value.shape = ir.Shape(
            [stated if sizes_count and not isinstance(size, int) else size for size, stated in pairs]
        )
    return (value.type, value.shape) != before


def infer_node(node: ir.Node, opset: int) -> None:
    """In place: give the outputs of a node the types and shapes that follow from its inputs, if they are not known yet.

    Nodes with bodies, and those of other domains, are left out.
    """
    if node.domain != "" or all(output.type is not None and is_fixed(output) for output in node.outputs):
        return
    inputs = [value for value in node.inputs if value is not None]
    if any(value.type is None for value in inputs) or any(map(bodies, node.attributes.values())):
        return
    types = {name_of(value): _type_proto(value) for value in inputs}
    constants = {
        name_of(value): ir.to_proto(tensor)
        for value in inputs
        if (tensor := ir.convenience.get_const_tensor(value)) is not None and tensor.nbytes <= LARGE
    }
    try:
        schema = onnx.defs.get_schema(node.op_type, opset, "")
        proto = ir.to_proto(node)
        _state_onesided(proto)
        found = onnx.shape_inference.infer_node_outputs(schema, proto, types, constants)
    except Exception:  # as above
        return
    for output in node.outputs:
        if output.name in found:
            _learn(output, found[output.name])


def _state_onesided(node: onnx.NodeProto) -> None:
    """In place: state that an STFT is one-sided if it says nothing. onnx's inference takes it for two-sided then."""
    if node.op_type == "STFT" and all(attribute.name != "onesided" for attribute in node.attribute):
        node.attribute.append(onnx.helper.make_attribute("onesided", 1))


def has_other_rank(value: ir.Value, shape: ir.Shape) -> bool:
    """Return whether a value is known to have another number of dimensions: a Reshape takes one size for each."""
    node = value.producer()
    sizes = input_shape(node, 1) if node is not None and node.op_type == "Reshape" else None
    return sizes is not None and len(sizes) == 1 and isinstance(sizes[0], int) and sizes[0] != len(shape)


def is_fixed(value: ir.Value) -> bool:
    """Return whether all sizes of a value are known."""
    return value.shape is not None and value.shape.is_static()


def _learn(value: ir.Value, proto: onnx.TypeProto) -> None:
    """In place: take over what is known of a value, and keep the names of sizes that are not."""
    value_type = ir.serde.deserialize_type_proto_for_type(proto)
    value.type = value.type if value_type is None else value_type
    shape = ir.serde.deserialize_type_proto_for_shape(proto)
    if shape is None:
        return
    if value.shape is not None and len(value.shape) == len(shape):
        pairs = zip(shape, value.shape, strict=True)
        shape = ir.Shape([new if isinstance(new, int) or new.value is not None else old for new, old in pairs])
    value.shape = shape


def _type_proto(value: ir.Value) -> onnx.TypeProto:
    assert value.type is not None
    proto = ir.serde.serialize_type(value.type)
    if value.shape is not None:
        ir.serde.serialize_shape_into(proto, value.shape)
    return proto


def _inputs_of_bodies(model: ir.Model) -> Iterator[ir.Value]:
    """Yield what bodies are given by their node. A Loop's number and condition have the shapes that its body states."""
    for node in model.graph.all_nodes():
        for attribute in node.attributes.values():
            for body in bodies(attribute):
                yield from body.inputs[2:] if node.op_type == "Loop" else body.inputs


def bodies(attribute: ir.Attr) -> list[ir.Graph]:
    """Return the graphs that an attribute holds."""
    if attribute.type == ir.AttributeType.GRAPH:
        return [attribute.as_graph()]
    return list(attribute.as_graphs()) if attribute.type == ir.AttributeType.GRAPHS else []


def _values(graph: ir.Graph) -> Iterator[ir.Value]:
    """Yield the values of a graph that have a name, without those of its bodies."""
    for value in (*graph.inputs, *(output for node in graph for output in node.outputs)):
        if value.name:
            yield value


def _without_large_constants(model: ir.Model) -> onnx.ModelProto:
    """Return the model with each initializer as an input too, and with the values of small ones only."""
    graph, inputs = model.graph, list(model.graph.inputs)
    initializers = {value: value.const_value for value in graph.initializers.values()}
    try:
        for value, tensor in initializers.items():
            if value not in inputs:
                graph.inputs.append(value)
            if tensor is None or tensor.nbytes > LARGE:
                graph.initializers.pop(name_of(value))
                value.const_value = None
        return ir.to_proto(model)
    finally:
        graph.inputs[:] = inputs
        graph.initializers.clear()  # so that their order stays
        for value, tensor in initializers.items():
            value.const_value = tensor
            graph.initializers.add(value)
