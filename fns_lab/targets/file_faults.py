"""What is wrong with a file as a whole although its nodes are right, by the names that `Target.refuses` has for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

import onnx
import onnx_ir as ir

from fns_lab.models import graphs, is_typed, tensors, walk

WIDER_FIELDS = frozenset(
    {
        onnx.TensorProto.BOOL,
        onnx.TensorProto.DOUBLE,
        onnx.TensorProto.FLOAT16,
        onnx.TensorProto.UINT32,
        onnx.TensorProto.UINT64,
    }
)
"""Element types whose numbers OpenCV takes for others where they are not in `raw_data` but in a typed field."""


def _sparse(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    for graph in graphs(model):
        yield from (f"the weight {tensor.values.name} is sparse" for tensor in graph.sparse_initializer)
    for node in walk(model.graph):
        if node.op_type == "Constant" and any(attribute.name == "sparse_value" for attribute in node.attribute):
            yield f"the constant {node.output[0]} is sparse"


def _typed(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    for name, tensor in tensors(model):
        if is_typed(tensor) and tensor.data_type in WIDER_FIELDS:
            element_type = onnx.TensorProto.DataType.Name(tensor.data_type)
            yield f"the constant {name} of {element_type} lies in a field for other numbers, not in raw_data"


def _repeated_node_names(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    for graph in graphs(model):
        names = Counter(node.name for node in graph.node if node.name)
        yield from (f"{count} nodes are named {name}" for name, count in names.items() if count > 1)


def _inputs_given_out(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    inputs = {value.name for value in model.graph.input}
    yield from (f"the output {value.name} is an input" for value in model.graph.output if value.name in inputs)


def _wrong_inner_types(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    return _wrong_types(model.graph.value_info, inferred)


def _wrong_output_types(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    return _wrong_types(model.graph.output, inferred)


def _wrong_inner_shapes(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    return _wrong_shapes(model.graph.value_info, inferred)


def _wrong_output_shapes(model: onnx.ModelProto, inferred: ir.Model) -> Iterator[str]:
    return _wrong_shapes(model.graph.output, inferred)


def _wrong_types(stated: Iterable[onnx.ValueInfoProto], inferred: ir.Model) -> Iterator[str]:
    for claim, value in _claims(stated, inferred):
        if None not in (claim.dtype, value.dtype) and claim.dtype != value.dtype:
            yield f"{value.name} is of {value.dtype}, and the file states {claim.dtype}"


def _wrong_shapes(stated: Iterable[onnx.ValueInfoProto], inferred: ir.Model) -> Iterator[str]:
    for claim, value in _claims(stated, inferred):
        if claim.shape is not None and value.shape is not None and not _agree(claim.shape, value.shape):
            yield f"the shape of {value.name} is {value.shape}, and the file states {claim.shape}"


def _claims(stated: Iterable[onnx.ValueInfoProto], inferred: ir.Model) -> Iterator[tuple[ir.Value, ir.Value]]:
    """Yield what the file states of each computed value, and the value as it follows from the inputs."""
    computed = {output.name: output for node in inferred.graph for output in node.outputs if output.name}
    for claim in stated:
        if claim.name in computed:
            yield ir.serde.deserialize_value_info_proto(claim, None), computed[claim.name]


def _agree(claim: ir.Shape, shape: ir.Shape) -> bool:
    return len(claim) == len(shape) and all(map(_may_be, claim, shape))


def _may_be(stated: int | ir.SymbolicDim, size: int | ir.SymbolicDim) -> bool:
    return not isinstance(stated, int) or not isinstance(size, int) or stated < 0 or stated == size


FILE_FAULTS: Mapping[str, Callable[[onnx.ModelProto, ir.Model], Iterator[str]]] = {
    "inputs given out": _inputs_given_out,
    "repeated node names": _repeated_node_names,
    "sparse constants": _sparse,
    "typed constants": _typed,
    "wrong inner shapes": _wrong_inner_shapes,
    "wrong inner types": _wrong_inner_types,
    "wrong output shapes": _wrong_output_shapes,
    "wrong output types": _wrong_output_types,
}
"""By name: a function that yields a reason for each such fault of a model, beside the same with inferred shapes."""
