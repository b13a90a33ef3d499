"""Tanh of limited values.

    tanh(x)  =  tanh(Clip(x, -20, 20))

From 9.1 on tanh is 1 in float32.

- Supported: Tanh of any opset, any shape.
- Fidelity: exact.
- Needed by: OpenCV, whose Tanh is not a number from 45 on.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule, RewriterContext

SATURATED = 20.0
"""Far beyond where Tanh is 1, far below where engines overflow."""


class TanhClip(OpRule):
    NAME = "tanh-clip"
    FIDELITY = "exact"
    WORKS_AROUND = ("unlimited",)
    EMITS = ("Clip", "Tanh")
    OPS = ("Tanh",)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return op.Tanh(self.clip(op, x, -SATURATED, SATURATED, f"{y.name}.limited"))
