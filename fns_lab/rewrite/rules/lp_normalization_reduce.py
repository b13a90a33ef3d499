"""LpNormalization as a division by the norm.

    y = x / (norm + m Relu(1 - norm / m)),   norm = ReduceSum(|x|) or Sqrt(ReduceSumSquare(x))   along `axis`

m is the smallest normal float32: a norm of 0 becomes m and gives 0, as the operator's text says; any other stays.

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

SMALLEST = float(np.finfo(np.float32).tiny)


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
        axes = [axis_attribute(producer(y), -1)]
        norm = self._norm(op, x, norm_order(producer(y)), axes, str(y.name))
        scale, one, least = (
            scalar(op, x, number, f"{y.name}.{name}")
            for name, number in (("scale", 1 / SMALLEST), ("one", 1.0), ("smallest", SMALLEST))
        )
        below = op.Sub(one, op.Mul(norm, scale, _outputs=[f"{y.name}.scaled"]), _outputs=[f"{y.name}.below"])
        zero = op.Mul(op.Relu(below, _outputs=[f"{y.name}.is_zero"]), least, _outputs=[f"{y.name}.least"])
        return op.Div(x, op.Add(norm, zero, _outputs=[f"{y.name}.divisor"]))

    def _norm(self, op: RewriterContext, x: ir.Value, p: float, axes: list[int], name: str) -> ir.Value:
        if p == 1:
            absolute = op.Abs(x, _outputs=[f"{name}.abs"])
            return self.reduce(op, "ReduceSum", absolute, axes, keepdims=True, name=f"{name}.norm")
        squares = self.reduce(op, "ReduceSumSquare", x, axes, keepdims=True, name=f"{name}.sum_square")
        return op.Sqrt(squares, _outputs=[f"{name}.norm"])
