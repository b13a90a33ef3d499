"""ArgMin, and ArgMax that selects the last of equal elements, as ArgMax of the value negated or turned round.

    ArgMin(x)                          =  ArgMax(-x),  of integers ArgMax(-1 - x), which never overflows
    ArgMax(x, select_last_index = 1)   =  Gather((n - 1, ..., 1, 0), ArgMax(Gather(x, (n - 1, ..., 1, 0))))

- Supported: ArgMin and ArgMax of any opset, float32, int32 or int64; for the last index a fixed size n of the axis.
- Fidelity: exact for numbers.
- Needed by: ONNX.js on cpu and wasm, which has an ArgMax of the first index.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, from_the_front, producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class ArgMaxPlain(OpRule):
    NAME = "arg-max-plain"
    FIDELITY = "exact"
    EMITS = ("ArgMax", "Gather", "Neg", "Sub")
    OPS = ("ArgMax", "ArgMin")
    TYPES = frozenset({ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.INT64})

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        if node.op_type == "ArgMax" and not _selects_last(node):
            raise Refusal("it selects the first index already")
        if _selects_last(node):
            fixed_size(x, _axis(node))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, name = producer(y), y.name
        axis, keepdims = _axis(node), node.attributes.get_int("keepdims", 1)
        size = fixed_size(x, axis) if _selects_last(node) else 0
        if self.root == "ArgMin":
            x = _in_reverse_order(op, x, f"{name}.negated")
        if not size:
            return op.ArgMax(x, axis=axis, keepdims=keepdims)
        turned = initializer(op, np.arange(size)[::-1].copy(), f"{name}.turned")
        last = op.Gather(x, turned, axis=axis, _outputs=[f"{name}.backwards"])
        return op.Gather(
            turned, op.ArgMax(last, axis=axis, keepdims=keepdims, _outputs=[f"{name}.from_the_end"]), axis=0
        )


def _in_reverse_order(op: RewriterContext, x: ir.Value, name: str) -> ir.Value:
    if x.dtype is None or not x.dtype.is_integer():
        return op.Neg(x, _outputs=[name])
    return op.Sub(initializer(op, np.array([-1], x.dtype.numpy()), f"{name}.last"), x, _outputs=[name])


def _axis(node: ir.Node) -> int:
    return from_the_front(node.attributes.get_int("axis", 0), rank(node))


def _selects_last(node: ir.Node) -> bool:
    return bool(node.attributes.get_int("select_last_index", 0))
