"""What a model asks of a machine before it runs: parameters, multiply-adds, bytes. Counted from the graph alone."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import pandas as pd
from onnx import ModelProto, NodeProto, TensorProto

from fns_lab import models
from fns_lab.errors import InputError

Shapes = Mapping[str, tuple[int, ...]]

SETTINGS = {
    "Clip": (1, 2),
    "DequantizeLinear": (1, 2),
    "Pad": (1, 2, 3),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
"""Inputs of an op that may hold floats which nobody learnt: bounds, scales, zero points, factors."""


def per_op(model: ModelProto) -> pd.DataFrame:
    """`nodes`, `parameters` and `macs` of each op type (the index), the one with most MACs first.

    A MAC is one multiplication with one addition. Conv, ConvTranspose, Gemm and MatMul are counted, as is usual; what
    works value by value (InstanceNormalization, Relu, Pad) has none. Parameters are the floats that a node reads from
    the file, and the integers that a DequantizeLinear turns into such; one that two nodes share counts once, with the
    first. Only the main graph is looked at. Raises `InputError` where a shape that is needed is not known, such as a
    free image size.
    """
    inferred = models.infer_shapes(model)
    weights = {tensor.name: tensor for tensor in inferred.graph.initializer}
    values = (*inferred.graph.input, *inferred.graph.value_info, *inferred.graph.output)
    shapes = {value.name: models.shape_of(value) for value in values}
    shapes |= {name: tuple(tensor.dims) for name, tensor in weights.items()}
    rows = []
    for node in inferred.graph.node:
        learnt = [weights.pop(name) for i, name in enumerate(node.input) if name in weights and _is_learnt(node, i)]
        sizes = [math.prod(tensor.dims) for tensor in learnt if _is_number(node, tensor)]
        rows.append((models.op_name(node), 1, sum(sizes), _macs(node, shapes)))
    table = pd.DataFrame(rows, columns=["op", "nodes", "parameters", "macs"])
    return table.groupby("op").sum().sort_values(["macs", "parameters", "nodes"], ascending=False)


def totals(variants: Mapping[str, ModelProto]) -> pd.DataFrame:
    """`parameters`, `macs` and `bytes` of the file, one row a model, by label. Raises `InputError` as `per_op` does."""
    rows = {}
    for label, model in variants.items():
        counted = per_op(model)
        rows[label] = (counted["parameters"].sum(), counted["macs"].sum(), model.ByteSize())
    return pd.DataFrame.from_dict(rows, orient="index", columns=["parameters", "macs", "bytes"])


def _is_learnt(node: NodeProto, index: int) -> bool:
    return index not in SETTINGS.get(node.op_type, ())


def _is_number(node: NodeProto, tensor: TensorProto) -> bool:
    """Integers are indices, shapes or paddings, unless they stand for floats."""
    return node.op_type == "DequantizeLinear" or tensor.data_type in models.FLOAT_TYPES


def _macs(node: NodeProto, shapes: Shapes) -> int:
    if node.op_type not in _MACS or node.domain not in ("", "ai.onnx"):
        return 0
    for name in (*node.input[:2], node.output[0]):
        if not all(isinstance(side, int) for side in shapes.get(name, models.UNKNOWN_RANK)):
            raise InputError(f"{node.op_type} {node.name!r}: the shape of {name!r} is open; export at a fixed size")
    return _MACS[node.op_type](node, shapes)


def _conv(node: NodeProto, shapes: Shapes) -> int:
    """Each output value sums over the kernel and the input channels of its group: weight `(out, in / group, h, w)`."""
    return math.prod(shapes[node.output[0]]) * math.prod(shapes[node.input[1]][1:])


def _conv_transpose(node: NodeProto, shapes: Shapes) -> int:
    """Each input value goes into the kernel and the output channels of its group: weight `(in, out / group, h, w)`."""
    return math.prod(shapes[node.input[0]]) * math.prod(shapes[node.input[1]][1:])


def _gemm(node: NodeProto, shapes: Shapes) -> int:
    transposed = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][0 if transposed else 1]


def _mat_mul(node: NodeProto, shapes: Shapes) -> int:
    return math.prod(shapes[node.output[0]]) * shapes[node.input[0]][-1]


_MACS: dict[str, Callable[[NodeProto, Shapes], int]] = {
    "Conv": _conv,
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    "MatMul": _mat_mul,
}
