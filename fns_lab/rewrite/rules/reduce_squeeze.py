"""A reduction to a scalar as one that keeps its axes, and a Squeeze.

    ReduceSum(x, keepdims = 0)  =  Squeeze(ReduceSum(x, keepdims = 1))        over all axes

- Supported: reductions of any opset over all axes, constant axes, `x` of known rank, at least 1.
- Fidelity: exact.
- Needed by: ONNX.js 0.1.3 and 0.1.4 on webgl, whose shaders cannot compute a value without dimensions.
- Why not Reshape: its shape would be a constant without elements, which they do not load.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext
from fns_lab.rewrite.stacks import squeeze


class ReduceSqueeze(OpRule):
    NAME = "reduce-squeeze"
    FIDELITY = "exact"
    WORKS_AROUND = ("scalar-output",)
    EMITS = ("Squeeze",)
    OPS = (
        "ReduceLogSum", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
    )  # fmt: skip
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if not rank(producer(y)):
            raise Refusal(f"{x.name} is a scalar")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        axes = list(range(rank(producer(y))))
        kept = self.reduce(op, self.root, x, axes, keepdims=True, name=f"{y.name}.kept")
        return squeeze(self, op, kept, axes, f"{y.name}.squeezed")
