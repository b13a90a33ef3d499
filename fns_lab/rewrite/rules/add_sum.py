"""Add of two values of the same shape as Sum.

    Add(a, b)  =  Sum(a, b)

- Supported: Add of any opset, `a` and `b` floats of the same fixed shape.
- Fidelity: exact.
- Needed by: no target. Faster in ONNX.js on cpu, whose Add computes the index of every element for broadcasting
  (1,400 ns per element), while its Sum does not broadcast.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, node_input, producer
from fns_lab.rewrite.rule import FLOATS, OpRule, Refusal, RewriterContext


class AddSum(OpRule):
    NAME = "add-sum"
    FIDELITY = "exact"
    ADDS_SUPPORT = False
    EMITS = ("Sum",)
    OPS = ("Add",)
    TYPES = FLOATS

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        other = node_input(producer(y), 1)
        if fixed_shape(x) != fixed_shape(other):
            raise Refusal(f"{x.name} and {other.name} have different shapes")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return op.Sum(x, node_input(producer(y), 1))
