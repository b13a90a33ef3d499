"""Parameters, multiply-adds and bytes of a model, counted from the graph without a run."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto

from fns_lab import models
from fns_lab.errors import InputError

Shapes = Mapping[str, tuple[int | str, ...]]
"""Shape of each value by name, as `models.shape_of` gives it."""
Fixed = Mapping[str, tuple[int, ...]]
"""The same, every dimension fixed."""

SETTINGS: Mapping[str, tuple[int, ...]] = {
    "Clip": (1, 2),
    "DequantizeLinear": (1, 2),
    "Pad": (1, 2, 3),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
"""Inputs of an op that may hold floats which training did not learn: bounds, scales, zero points."""


def per_op(model: ModelProto) -> pd.DataFrame:
    """Return one row per op type (the index), the one with most MACs first.

    - `nodes`: nodes of this op type
    - `parameters`: floats that these nodes read from the file, and integers that a DequantizeLinear turns into floats;
      a tensor that two nodes share counts once, with the first
    - `macs`: multiply-accumulates of one run. Conv, ConvTranspose, Gemm and MatMul are counted, as is usual;
      elementwise ops, normalisations and Pad have none

    Only the main graph is counted. Raises `InputError` where a shape that is needed is not fixed.
    """
    inferred = models.infer_shapes(model)
    weights = {tensor.name: tensor for tensor in inferred.graph.initializer}
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    shapes = {value.name: models.shape_of(value) for value in values}
    shapes |= {name: tuple(tensor.dims) for name, tensor in weights.items()}
    rows = []
    for node in inferred.graph.node:
        learned = [weights.pop(name) for i, name in enumerate(node.input) if name in weights and _is_learned(node, i)]
        sizes = [math.prod(tensor.dims) for tensor in learned if _is_number(node, tensor)]
        rows.append((models.op_name(node), 1, sum(sizes), _macs(node, shapes)))
    table = pd.DataFrame(rows, columns=["op", "nodes", "parameters", "macs"])
    return table.groupby("op").sum().sort_values(["macs", "parameters", "nodes"], ascending=False)


def totals(variants: Mapping[str, ModelProto]) -> pd.DataFrame:
    """Return one row per model, by label: `parameters` and `macs` as in `per_op`, and `bytes` of the file.

    Raises `InputError` as `per_op` does.
    """
    rows = {}
    for label, model in variants.items():
        counted = per_op(model)
        rows[label] = (counted["parameters"].sum(), counted["macs"].sum(), model.ByteSize())
    return pd.DataFrame.from_dict(rows, orient="index", columns=["parameters", "macs", "bytes"])


def memory_bytes(model: ModelProto) -> int:
    """Return the most bytes that the values of one run take at once, each from its node to its last reader.

    An engine takes at least about that. Values of a shape that is not known count nothing.
    """
    inferred = models.infer_shapes(model)
    graph = inferred.graph
    sizes = {value.name: _bytes(value) for value in (*graph.input, *graph.value_info, *graph.output)}
    last = {name: index for index, node in enumerate(graph.node) for name in node.input}
    kept = {value.name for value in graph.output}
    ending: dict[int, list[str]] = {}
    for name, index in last.items():
        if name not in kept:
            ending.setdefault(index, []).append(name)
    alive = most = sum(sizes[value.name] for value in graph.input)
    for index, node in enumerate(graph.node):
        alive += sum(sizes.get(name, 0) for name in node.output)
        most = max(most, alive)
        alive -= sum(sizes.get(name, 0) for name in ending.get(index, ()))
    return most


def _bytes(value: ValueInfoProto) -> int:
    shape = models.shape_of(value)
    if shape == models.UNKNOWN_RANK or any(isinstance(size, str) for size in shape):
        return 0
    return int(models.dtype_of(value).itemsize) * math.prod(map(int, shape))


def _is_learned(node: NodeProto, index: int) -> bool:
    return index not in SETTINGS.get(node.op_type, ())


def _is_number(node: NodeProto, tensor: TensorProto) -> bool:
    """Return whether a tensor holds parameters: integers are indices, shapes or pads unless they stand for floats."""
    return node.op_type == "DequantizeLinear" or tensor.data_type in models.FLOAT_TYPES


def _macs(node: NodeProto, shapes: Shapes) -> int:
    if node.op_type not in _MACS or node.domain not in models.ONNX_DOMAINS:
        return 0
    fixed = {name: _fixed(node, name, shapes) for name in (*node.input[:2], node.output[0])}
    return _MACS[node.op_type](node, fixed)


def _fixed(node: NodeProto, name: str, shapes: Shapes) -> tuple[int, ...]:
    shape = shapes.get(name, models.UNKNOWN_RANK)
    fixed = tuple(dimension for dimension in shape if isinstance(dimension, int))
    if len(fixed) < len(shape):
        raise InputError(f"{node.op_type} {node.name!r}: the shape of {name!r} is not fixed; export at a fixed size")
    return fixed


def _conv(node: NodeProto, shapes: Fixed) -> int:
    """Count per output value the kernel and the input channels of its group: weight `(out, in / group, h, w)`."""
    return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _conv_transpose(node: NodeProto, shapes: Fixed) -> int:
    """Count per input value the kernel and the output channels of its group: weight `(in, out / group, h, w)`."""
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _gemm(node: NodeProto, shapes: Fixed) -> int:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


def _mat_mul(node: NodeProto, shapes: Fixed) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


_MACS: dict[str, Callable[[NodeProto, Fixed], int]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
}
