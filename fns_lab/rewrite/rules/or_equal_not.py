"""GreaterOrEqual and LessOrEqual as the opposite of Less and Greater.

    a >= b  =  Not(a < b)        a <= b  =  Not(a > b)

- Supported: both ops of any opset, any shape.
- Fidelity: rounding: exact for all numbers, but a NaN counts as equal.
- Needed by: ONNX.js and ONNX Runtime Web on webgl, which have Less and Greater only.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import node_inputs, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext


class OrEqualNot(OpRule):
    NAME = "or-equal-not"
    FIDELITY = "rounding"
    EMITS = ("Greater", "Less", "Not")
    OPS = ("GreaterOrEqual", "LessOrEqual")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        a, b = node_inputs(producer(y))
        opposite = op.Less if self.root == "GreaterOrEqual" else op.Greater
        return op.Not(opposite(a, b, _outputs=[f"{y.name}.opposite"]))
