"""OneHot of whole numbers as look-ups: of the row of its index, then of the two values.

    OneHot(i, depth, values)  =  Transpose(Gather(values, Gather(rows, j)))
    j = i limited to -depth - 1 .. depth, plus depth + 1

`rows` holds 0 and 1, one row per index from -depth - 1 to depth; the first and the last, for all indices out of range,
hold 0 only. The limits and the sum are reductions over stacked values. The Transpose moves the last axis.

- Supported: OneHot 11, int32 or int64 indices of fixed shape, a constant depth of at most 1024, values of any type.
- Fidelity: exact.
- Needed by: ONNX.js, which has no OneHot.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, from_the_front, name_of, node_inputs, producer, required_constant
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.stacks import STACKING_OPS, number_like, reduce_stack

LARGEST_DEPTH = 1024
"""Largest depth; the table has about twice its square elements."""
NEGATIVE_SINCE = 11
"""Opset from which an index below 0 counts from the end."""


class OneHotGather(OpRule):
    NAME = "one-hot-gather"
    FIDELITY = "exact"
    EMITS = (*STACKING_OPS, "Gather", "ReduceMax", "ReduceMin", "ReduceSum", "Transpose")
    OPS = ("OneHot",)
    TYPES = frozenset({ir.DataType.INT32, ir.DataType.INT64})

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)
        if self.opset < NEGATIVE_SINCE:
            raise Refusal(f"an index below 0 is not defined before opset {NEGATIVE_SINCE}")
        if not 1 <= (depth := _depth(producer(y))) <= LARGEST_DEPTH:
            raise Refusal(f"the depth is {depth}, 1 to {LARGEST_DEPTH} is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, name, rank = producer(y), name_of(y), len(fixed_shape(x)) + 1
        depth, values = _depth(node), node_inputs(node)[2]
        row = x
        for kind, number in (("ReduceMax", -depth - 1), ("ReduceMin", depth), ("ReduceSum", depth + 1)):
            other = number_like(op, x, number, f"{name}.{kind}.number")
            row = reduce_stack(self, op, kind, [row, other], f"{name}.{kind}")
        hot = op.Gather(initializer(op, _rows(depth), f"{name}.rows"), row, axis=0, _outputs=[f"{name}.hot"])
        axis = from_the_front(node.attributes.get_int("axis", -1), rank)
        if axis == rank - 1:
            return op.Gather(values, hot, axis=0)
        last = op.Gather(values, hot, axis=0, _outputs=[f"{name}.last"])
        return op.Transpose(last, perm=[*range(axis), rank - 1, *range(axis, rank - 1)])


def _depth(node: ir.Node) -> int:
    return int(required_constant(node, 1).reshape(-1)[0])


def _rows(depth: int) -> np.ndarray:
    rows = np.zeros((2 * depth + 2, depth), np.int64)
    rows[1:-1] = np.concatenate([np.eye(depth), np.eye(depth)])
    return rows
