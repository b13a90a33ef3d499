"""Values that are broadcast to one shape and stacked on a new first axis, over which an op then reduces.

    Max(a, b)  =  ReduceMax(stack(a, b), axis 0)        b > a  =  ArgMax(stack(a, b), axis 0)

All of it only copies, so that it is exact. Whole numbers pass too, as indices do: no node here is one of arithmetic.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape
from fns_lab.rewrite.rule import RewriterContext, Rule, initializer

STACKING_OPS = ("Concat", "Tile", "Unsqueeze")
"""Op types that `stack` writes."""
MOST_REPEATED = 2**20
"""Elements of the largest constant that is written repeated; for a larger one a Tile repeats a constant."""
AXES_INPUT_SINCE = 13
"""Opset from which the axes of Squeeze and Unsqueeze are an input."""


def unsqueeze(rule: Rule, op: RewriterContext, x: ir.Value, axes: list[int], name: str) -> ir.Value:
    """Add an Unsqueeze, whose axes are an input since opset 13; of a constant, return the constant with these axes."""
    if (tensor := ir.convenience.get_const_tensor(x)) is not None:
        return initializer(op, np.expand_dims(tensor.numpy(), tuple(axes)), name)
    if rule.opset < AXES_INPUT_SINCE:
        return op.Unsqueeze(x, axes=axes, _outputs=[name])
    return op.Unsqueeze(x, initializer(op, np.array(axes, np.int64), f"{name}.axes"), _outputs=[name])


def squeeze(rule: Rule, op: RewriterContext, x: ir.Value, axes: list[int], name: str) -> ir.Value:
    """Add a Squeeze, whose axes are an input since opset 13."""
    if rule.opset < AXES_INPUT_SINCE:
        return op.Squeeze(x, axes=axes, _outputs=[name])
    return op.Squeeze(x, initializer(op, np.array(axes, np.int64), f"{name}.axes"), _outputs=[name])


def broadcast(rule: Rule, op: RewriterContext, x: ir.Value, shape: Sequence[int], name: str) -> ir.Value:
    """Return `x` at a shape that it broadcasts to. Raises `NodeError` if its own is not fixed."""
    old, dtype = fixed_shape(x), x.dtype
    if old == tuple(shape):
        return x
    if (tensor := ir.convenience.get_const_tensor(x)) is not None and math.prod(shape) <= MOST_REPEATED:
        return initializer(op, np.broadcast_to(tensor.numpy(), shape).copy(), name)
    full = (1,) * (len(shape) - len(old)) + old
    if full != old:
        x = unsqueeze(rule, op, x, list(range(len(full) - len(old))), f"{name}.unsqueezed")
    repeats = [new // size if size else 1 for new, size in zip(shape, full, strict=True)]
    if set(repeats) != {1}:
        x = op.Tile(x, initializer(op, np.array(repeats, np.int64), f"{name}.repeats"), _outputs=[name])
    return typed(x, ir.Shape(shape), dtype)


def common_shape(values: Sequence[ir.Value]) -> ir.Shape:
    """Return the shape that the values broadcast to.

    Raises `NodeError` if the shapes differ, or a dimension has no name, and one of them is not fixed.
    """
    first = values[0].shape
    if first is not None and not first.has_unknown_dim() and all(value.shape == first for value in values):
        return first
    return ir.Shape(np.broadcast_shapes(*(fixed_shape(value) for value in values)))


def stack(rule: Rule, op: RewriterContext, values: Sequence[ir.Value], name: str) -> ir.Value:
    """Return the values, broadcast to their common shape and joined on a new first axis."""
    shape = common_shape(values)
    parts = []
    for i, value in enumerate(values):
        whole = value
        if value.shape != shape:
            whole = broadcast(rule, op, value, shape.numpy(), f"{name}.whole{i}")
        parts.append(unsqueeze(rule, op, whole, [0], f"{name}.part{i}"))
    return op.Concat(*parts, axis=0, _outputs=[name])


def reduce_stack(rule: Rule, op: RewriterContext, kind: str, values: Sequence[ir.Value], name: str) -> ir.Value:
    """Return the elementwise result of a reduction (`ReduceMax`, `ReduceSum` and so on) over the stacked values."""
    stacked = stack(rule, op, values, f"{name}.stack")
    return typed(rule.reduce(op, kind, stacked, [0], keepdims=False, name=name), common_shape(values), values[0].dtype)


def arg_max_stack(rule: Rule, op: RewriterContext, values: Sequence[ir.Value], name: str) -> ir.Value:
    """Return for each element the int64 index of the value that is the largest there, of the first if several are."""
    stacked = stack(rule, op, values, f"{name}.stack")
    index = op.ArgMax(stacked, axis=0, keepdims=0, _outputs=[name])
    return typed(index, common_shape(values), ir.DataType.INT64)


def typed(value: ir.Value, shape: ir.Shape, dtype: ir.DataType | None) -> ir.Value:
    """Return a new value with its shape and element type, which nodes that follow in the same rule may ask for."""
    value.shape = shape.copy()
    if dtype is not None:
        value.dtype = dtype
    return value


def number_like(op: RewriterContext, like: ir.Value, number: float, name: str) -> ir.Value:
    """Add an initializer of no axes that holds a number in the element type of `like`."""
    dtype = ir.DataType.FLOAT if like.dtype is None else like.dtype
    return initializer(op, np.array(number, dtype.numpy()), name)
