"""Where with a constant condition as one Gather from both values, joined on one axis.

    Where(c, a, b)  =  Gather(Concat(Reshape(a, (-1,)), Reshape(b, (-1,))), source)

`source` has the shape of the result and holds the index of each of its elements. Of a constant `a` or `b` only the
elements in use, and the first, are joined, each once.

- Supported: Where 9 and 16, a constant condition, fixed shapes that broadcast, at least one element; no strings.
- Fidelity: exact.
- Needed by: all versions of ONNX.js, which have neither Where nor a cast from booleans to numbers.
- Why not a product with a mask: a NaN or an infinity in what is not chosen would stay.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, node_inputs, producer
from fns_lab.rewrite.copies import flattened
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, dtype_of, initializer


class WhereGather(OpRule):
    NAME = "where-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Concat", "Gather")
    OPS = ("Where",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        condition, a, b = node_inputs(producer(y))
        constant_array(condition), fixed_shape(a), fixed_shape(b)
        if dtype_of(y).kind == "O":
            raise Refusal(f"{y.name} holds strings")
        if 0 in fixed_shape(y):
            raise Refusal(f"{y.name} has no elements")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        _, a, b = node_inputs(producer(y))
        condition = constant_array(x).astype(bool)
        shape = np.broadcast_shapes(condition.shape, fixed_shape(a), fixed_shape(b))
        condition = np.broadcast_to(condition, shape)
        first = flattened(self, op, a, condition, f"{y.name}.true")
        second = flattened(self, op, b, ~condition, f"{y.name}.false")
        source = np.where(condition, first.positions, first.size + second.positions)
        both = op.Concat(first.value, second.value, axis=0, _outputs=[f"{y.name}.both"])
        return op.Gather(both, initializer(op, source, f"{y.name}.source"), axis=0)
