"""LpNormalization as a division by the norm.

    y = x / (norm + Relu(s - norm) / s),   norm = ReduceSum(|x|) or Sqrt(ReduceSumSquare(x))   along `axis`

s is the smallest norm above 0, so that a norm of 0 becomes 1: of zeros, and of numbers whose squares are too small for
float32, this gives 0 or next to it, as ONNX Runtime does. Any other norm stays.

- Supported: LpNormalization 1 and 22, p 1 or 2, `x` of known rank.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have no LpNormalization.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, producer
from fns_lab.rewrite.powers import norm_order
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, scalar

SMALLEST = {1: float(np.finfo(np.float32).tiny), 2: float(np.sqrt(np.finfo(np.float32).smallest_subnormal))}
"""The smallest norm above 0 by p; a number below the smallest normal one may count as 0."""


class LpNormalizationReduce(OpRule):
    NAME = "lp-normalization-reduce"
    FIDELITY = "rounding"
    EMITS = ("Abs", "Add", "Div", "Mul", "ReduceSum", "ReduceSumSquare", "Relu", "Sqrt", "Sub")
    OPS = ("LpNormalization",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        axis_attribute(producer(y), -1)
        if (p := norm_order(producer(y))) not in (1, 2):
            raise Refusal(f"the LpNormalization has p {p:g}, 1 or 2 is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        p, name = norm_order(producer(y)), str(y.name)
        norm = self._norm(op, x, p, [axis_attribute(producer(y), -1)], name)
        smallest = SMALLEST[int(p)]
        least = scalar(op, x, smallest, f"{name}.smallest")
        below = op.Relu(op.Sub(least, norm, _outputs=[f"{name}.below"]), _outputs=[f"{name}.missing"])
        one = op.Mul(below, scalar(op, x, 1 / smallest, f"{name}.scale"), _outputs=[f"{name}.is_zero"])
        return op.Div(x, op.Add(norm, one, _outputs=[f"{name}.divisor"]))

    def _norm(self, op: RewriterContext, x: ir.Value, p: float, axes: list[int], name: str) -> ir.Value:
        if p == 1:
            absolute = op.Abs(x, _outputs=[f"{name}.abs"])
            return self.reduce(op, "ReduceSum", absolute, axes, keepdims=True, name=f"{name}.norm")
        squares = self.reduce(op, "ReduceSumSquare", x, axes, keepdims=True, name=f"{name}.sum_square")
        return op.Sqrt(squares, _outputs=[f"{name}.norm"])
