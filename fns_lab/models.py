"""ONNX models as files and as graphs: read, write, count ops, infer shapes, make inner values outputs.

A model is an `onnx.ModelProto` everywhere in the package. No function here changes the model that it is given.
"""

from __future__ import annotations

import difflib
import itertools
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import onnx
from google.protobuf.message import DecodeError, Message
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    TensorShapeProto,
    ValueInfoProto,
    helper,
    numpy_helper,
)

from fns_lab import weights
from fns_lab.errors import InputError, one_line
from fns_lab.files import is_text, read_bytes, write_bytes
from fns_lab.limits import MODEL_BYTES

if TYPE_CHECKING:
    import onnx_ir as ir

RULE_PREFIX = "fns_lab rule: "
"""Start of the `doc_string` of every node that a rewrite rule wrote; the rule's name follows."""

ONNX_DOMAINS = ("", "ai.onnx")
"""The two names of the domain of ONNX's own operators."""
FLOAT_TYPES = frozenset({TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE})
"""Element types of floating-point numbers."""
INITIALIZERS_APART_SINCE = 4
"""IR version from which an initializer need not be a graph input."""
LARGEST_OPSET = 2**31 - 1
"""onnx counts opsets in 32 bits."""
LONGEST_TEXT = 60
"""Characters that an error quotes of a text that it is about."""
UNKNOWN_DIM = "?"
"""Stands in a shape for a free size without a name."""
UNKNOWN_RANK = ("...",)
"""Stands for a shape with any number of dimensions."""


def load(path: str | os.PathLike[str]) -> ModelProto:
    """Read an ONNX file and its external weights; those of over `weights.LARGEST_INSIDE` stay where they are.

    Raises `InputError` for a file that is missing, is no ONNX model, is cut short, or holds no graph that can run.
    Ops are not checked against a schema: a model with unknown ops is still a model.
    """
    path = Path(path)
    model = _parse(read_bytes(path, MODEL_BYTES), path)
    try:
        if weights.size_bytes(model) > weights.LARGEST_INSIDE:
            weights.locate(model, path.parent)
        else:
            onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception as error:  # onnx raises its own, OSError and ValueError here
        raise InputError(f"{path}: its external weights cannot be read ({one_line(error)})") from None
    if fault := _fault(model):
        raise InputError(f"{path}: {fault}")
    return model


def save(model: ModelProto, path: str | os.PathLike[str]) -> Path:
    """Write a model atomically, with its weights inside; over 2 GB they are written to a file beside it.

    Raises `InputError` where it cannot be written.
    """
    path = Path(path)
    if weights.are_outside(model) or model.ByteSize() > weights.LARGEST_MESSAGE:
        weights.save_outside(model, path)
    else:
        write_bytes(path, model.SerializeToString())
    return path


def opset(model: ModelProto) -> int:
    """Return the version of the standard operator set that the model imports."""
    return max((i.version for i in model.opset_import if i.domain in ONNX_DOMAINS), default=0)


def walk(graph: GraphProto) -> Iterator[NodeProto]:
    """Yield every node in the graph's order, those inside If, Loop and Scan too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in _bodies(attribute):
                yield from walk(inner)


def graphs(model: ModelProto) -> Iterator[GraphProto]:
    """Yield the model's graph, and those inside If, Loop and Scan."""
    yield model.graph
    for node in walk(model.graph):
        for attribute in node.attribute:
            yield from _bodies(attribute)


def tensors(model: ModelProto) -> Iterator[tuple[str, TensorProto]]:
    """Yield the constants of the model's graphs by name: initializers, and what Constant nodes state."""
    for graph in graphs(model):
        yield from ((tensor.name, tensor) for tensor in graph.initializer)
    for node in walk(model.graph):
        yield from ((node.output[0], stated.t) for stated in node.attribute if stated.HasField("t"))


def is_typed(tensor: TensorProto) -> bool:
    """Return whether a constant's numbers lie in a field of their type, such as `float_data`, not in `raw_data`."""
    is_outside = tensor.data_location == TensorProto.EXTERNAL
    return not is_outside and not tensor.HasField("raw_data") and tensor.data_type != TensorProto.STRING


def count_ops(model: ModelProto) -> dict[str, int]:
    """Count the nodes of each op, named as `op_name` does, most frequent first."""
    return dict(Counter(map(op_name, walk(model.graph))).most_common())


def op_name(node: NodeProto | ir.Node) -> str:
    """Return `Conv` for a standard op, `com.microsoft::FusedConv` for one of another domain."""
    return node.op_type if node.domain in ONNX_DOMAINS else f"{node.domain}::{node.op_type}"


def model_label(model: ModelProto) -> str:
    """Return how an error message names a model: its graph's name and its number of nodes."""
    size = len(model.graph.node)
    return f"model '{model.graph.name or 'unnamed'}' ({size} node{'s' * (size != 1)})"


def fed_inputs(model: ModelProto) -> dict[str, ValueInfoProto]:
    """Return the inputs that a caller must feed, by name; initializers listed as inputs too (IR 3) are left out."""
    initializers = _initializer_names(model.graph)
    return {value.name: value for value in model.graph.input if value.name not in initializers}


def optional_inputs(model: ModelProto) -> list[str]:
    """Return the inputs that have a value in the file, for callers who feed none. Here that value is a constant.

    Up to IR 3 every initializer is an input, so that none of them is meant to be fed.
    """
    if model.ir_version < INITIALIZERS_APART_SINCE:
        return []
    fed = fed_inputs(model)
    return [value.name for value in model.graph.input if value.name not in fed]


def input_shapes(model: ModelProto) -> dict[str, tuple[int | str, ...]]:
    """Return the shape of each input that a caller must feed, as `shape_of` writes it."""
    return {name: shape_of(value) for name, value in fed_inputs(model).items()}


def shape_of(value: ValueInfoProto) -> tuple[int | str, ...]:
    """Return the shape that a value declares: sizes, and for a free size its name or `?`.

    A negative size, which some exporters write for a free one, is `?`. An unknown rank is the shape `("...",)`.
    """
    if not value.type.tensor_type.HasField("shape"):
        return UNKNOWN_RANK
    return tuple(map(_size, value.type.tensor_type.shape.dim))


def dtype_of(value: ValueInfoProto) -> np.dtype:
    """Return the element type of an input or output. Raises `InputError` if it is no tensor of a known type."""
    if (kind := value.type.WhichOneof("value")) != "tensor_type":
        what = _KINDS.get(kind or "", "of an unknown type")
        raise InputError(f"{value.name!r} is {what}, not a tensor; inputs and outputs must be tensors")
    element_type = value.type.tensor_type.elem_type
    try:
        return np.dtype(helper.tensor_dtype_to_np_dtype(element_type))
    except KeyError:
        raise InputError(f"{value.name!r} has no element type that NumPy knows (ONNX number {element_type})") from None


def infer_shapes(model: ModelProto) -> ModelProto:
    """Return a copy with `value_info` for every value whose type and shape follow from the inputs.

    Raises `InputError` if the model contradicts itself so badly that inference stops.
    """
    try:
        return onnx.shape_inference.infer_shapes(model, data_prop=True)
    except Exception as error:  # onnx's InferenceError, and RuntimeError from its C++
        raise InputError(f"shape inference: {one_line(error)}") from None


def with_outputs(model: ModelProto, names: Iterable[str] | None = None) -> ModelProto:
    """Return a copy whose outputs are the original ones, then the named inner values, each once.

    Without `names`: every value that a node computes and whose float type and shape are known; Constants are left out.
    Raises `InputError` for a name that no node computes or whose type is not known.
    """
    inferred = infer_shapes(model)
    outputs = [value.name for value in model.graph.output]
    known = {value.name: value for value in (*inferred.graph.value_info, *inferred.graph.output) if _is_known(value)}
    computed = [name for node in model.graph.node if node.op_type != "Constant" for name in node.output if name]
    if names is None:
        names = [name for name in computed if name in known and known[name].type.tensor_type.elem_type in FLOAT_TYPES]
    result = ModelProto()
    result.CopyFrom(model)
    for name in dict.fromkeys(names):
        if name in outputs:
            continue
        if name not in known or name not in computed:
            raise InputError(_no_such_value(name, computed))
        result.graph.output.append(known[name])
    return result


def with_dense_constants(model: ModelProto) -> ModelProto:
    """Return a copy whose sparse initializers and sparse Constants are dense; the model itself if it has none."""
    if not any(graph.sparse_initializer or any(map(_is_sparse, graph.node)) for graph in graphs(model)):
        return model
    result = ModelProto()
    result.CopyFrom(model)
    for graph in graphs(result):
        graph.initializer.extend(_dense(tensor) for tensor in graph.sparse_initializer)
        del graph.sparse_initializer[:]
        for node in filter(_is_sparse, graph.node):
            value = _dense(node.attribute[0].sparse_tensor)
            node.attribute[0].CopyFrom(helper.make_attribute("value", value))
    return result


def _is_sparse(node: NodeProto) -> bool:
    return node.op_type == "Constant" and [attribute.name for attribute in node.attribute] == ["sparse_value"]


def _dense(sparse: SparseTensorProto) -> TensorProto:
    """Return a sparse tensor, whose indices count all elements or have one column per axis, as a dense one."""
    values, indices = numpy_helper.to_array(sparse.values), numpy_helper.to_array(sparse.indices)
    array = np.zeros(tuple(sparse.dims), values.dtype)
    if indices.ndim == 1:
        array.reshape(-1)[indices] = values
    else:
        array[tuple(indices.T)] = values
    dense = numpy_helper.from_array(array, sparse.values.name)
    dense.data_type = sparse.values.data_type
    return dense


_KINDS = {
    "sequence_type": "a sequence",
    "map_type": "a map",
    "optional_type": "an optional value",
    "sparse_tensor_type": "a sparse tensor",
}


def _bodies(attribute: AttributeProto) -> Sequence[GraphProto]:
    return (attribute.g,) if attribute.type == AttributeProto.GRAPH else attribute.graphs


def _parse(data: bytes, path: Path) -> ModelProto:
    try:
        model = onnx.load_model_from_string(data)
    except (DecodeError, ValueError):
        if is_text(data):
            raise InputError(f"{path}: a text file, not an ONNX model") from None
        raise InputError(f"{path}: not a whole ONNX model (cut short, or another format); export it again") from None
    if not data:
        raise InputError(f"{path}: an empty file, not an ONNX model")
    return model


def _fault(model: ModelProto) -> str | None:
    """Return the reason why no engine can run the model, or None."""
    graph = model.graph
    if not model.ir_version or not graph.node or not graph.output:
        return "holds no ONNX graph with nodes and outputs; export it again"
    if not model.opset_import:
        return "names no operator set (cut short?); export it again"
    for entry in (*model.opset_import, *(each for function in model.functions for each in function.opset_import)):
        if not 0 < entry.version <= LARGEST_OPSET:
            return f"names opset {entry.version} of {entry.domain or 'ONNX'!r}, which there cannot be"
    if garbled := next(_garbled_texts(model), None):
        return f"its text {one_line(garbled, LONGEST_TEXT)} is not UTF-8"
    nodes = (*walk(graph), *(node for function in model.functions for node in function.node))
    tensors = [(f"initializer {tensor.name!r}", tensor) for tensor in graph.initializer]
    tensors += [
        (f"{node.op_type} node {node.name!r}: its {attribute.name!r}", attribute.t)
        for node in nodes
        for attribute in node.attribute
        if attribute.HasField("t")
    ]
    if broken := next(filter(None, itertools.starmap(_tensor_fault, tensors)), None):
        return broken
    twice = [name for name, count in Counter(value.name for value in graph.output).items() if count > 1]
    if twice:
        return f"the output {twice[0]!r} is there twice"
    return _dangling(graph) or next(filter(None, map(_dangling_in_function, model.functions)), None)


def _garbled_texts(message: Message) -> Iterator[bytes]:
    """Yield the names and other texts in a message that are not UTF-8, which protobuf gives as bytes."""
    for field, value in message.ListFields():
        values = value if isinstance(value, Sequence) and not isinstance(value, str | bytes) else (value,)
        if field.type == field.TYPE_STRING:
            yield from (each for each in values if isinstance(each, bytes))
        elif field.type == field.TYPE_MESSAGE:
            for each in values:
                yield from _garbled_texts(each)


def _tensor_fault(name: str, tensor: TensorProto) -> str | None:
    if tensor.data_location == TensorProto.EXTERNAL:
        return None  # looked at where they were found
    try:
        onnx.checker.check_tensor(tensor)
    except onnx.checker.ValidationError as error:
        return f"{name} is broken ({one_line(error)})"
    if tensor.data_type not in TensorProto.DataType.values():
        return f"{name} is of the element type {tensor.data_type}, which ONNX does not have"
    if tensor.HasField("raw_data") and len(tensor.raw_data) != (needed := weights.expected_bytes(tensor)):
        return f"{name} holds {len(tensor.raw_data)} bytes, and its type and shape take {needed}"
    return None


def _dangling_in_function(function: FunctionProto) -> str | None:
    graph = GraphProto(node=function.node, output=[ValueInfoProto(name=name) for name in function.output])
    fault = _dangling(graph, frozenset(function.input))
    return f"function {function.name!r}: {fault}" if fault else None


def _dangling(graph: GraphProto, outer: frozenset[str] = frozenset()) -> str | None:
    """Return the first value that a node reads or the graph gives out and that is not there, or None."""
    seen = {"", *outer, *_initializer_names(graph), *(value.name for value in graph.input)}
    for node in graph.node:
        for name in node.input:
            if name not in seen:
                return f"{node.op_type} node {node.name!r} reads {name!r}, which no node before it computes"
        for body in (each for attribute in node.attribute for each in _bodies(attribute)):
            if fault := _dangling(body, frozenset(seen)):
                return fault
        seen.update(node.output)
    missing = [value.name for value in graph.output if value.name not in seen]
    return f"no node computes the output {missing[0]!r}" if missing else None


def _size(dimension: TensorShapeProto.Dimension) -> int | str:
    if dimension.HasField("dim_value"):
        return UNKNOWN_DIM if dimension.dim_value < 0 else dimension.dim_value
    return dimension.dim_param or UNKNOWN_DIM


def _initializer_names(graph: GraphProto) -> set[str]:
    return {t.name for t in graph.initializer} | {t.values.name for t in graph.sparse_initializer}


def _is_known(value: ValueInfoProto) -> bool:
    return value.type.tensor_type.elem_type != TensorProto.UNDEFINED and value.type.tensor_type.HasField("shape")


def _no_such_value(name: str, computed: list[str]) -> str:
    if name in computed:
        return f"value {name!r}: its type and shape are not known, so it cannot be an output"
    near = difflib.get_close_matches(name, computed, n=1)
    return f"no node computes a value {name!r}" + (f"; the nearest is {near[0]!r}" if near else "")
