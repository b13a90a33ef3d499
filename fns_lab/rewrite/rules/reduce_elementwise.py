"""Reductions as a simpler reduction and elementwise ops.

    ReduceL1 = ReduceSum(Abs(x))      ReduceL2 = Sqrt(ReduceSumSquare(x))      ReduceLogSum = Log(ReduceSum(x))
    ReduceLogSumExp = Log(ReduceSum(Exp(x - m))) + m,  m = ReduceMax(x)        never the exponential of a large number

- Supported: these ops of any opset, any shape of known rank, constant axes.
- Fidelity: rounding.
- Needed by: ONNX.js, which has none of them but ReduceLogSum, and that one without axes as an input.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer, rank, reduced_axes
from fns_lab.rewrite.rule import OpRule, RewriterContext


class ReduceElementwise(OpRule):
    NAME = "reduce-elementwise"
    FIDELITY = "rounding"
    EMITS = ("Abs", "Add", "Exp", "Identity", "Log", "ReduceMax", "ReduceSum", "ReduceSumSquare", "Sqrt", "Sub")
    OPS = ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        rank(node)
        reduced_axes(node)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, name = producer(y), f"{y.name}.sum"
        axes, keepdims = reduced_axes(node), bool(node.attributes.get_int("keepdims", 1))
        if not axes:
            return self._of_each_element(op, x)
        if self.root == "ReduceL1":
            inner = op.Abs(x, _outputs=[f"{y.name}.abs"])
            return self.reduce(op, "ReduceSum", inner, axes, keepdims=keepdims, name=name)
        if self.root == "ReduceL2":
            return op.Sqrt(self.reduce(op, "ReduceSumSquare", x, axes, keepdims=keepdims, name=name))
        if self.root == "ReduceLogSum":
            return op.Log(self.reduce(op, "ReduceSum", x, axes, keepdims=keepdims, name=name))
        m = self.reduce(op, "ReduceMax", x, axes, keepdims=True, name=f"{y.name}.largest")
        e = op.Exp(op.Sub(x, m, _outputs=[f"{y.name}.shifted"]), _outputs=[f"{y.name}.exp"])
        log = op.Log(self.reduce(op, "ReduceSum", e, axes, keepdims=keepdims, name=name), _outputs=[f"{y.name}.log"])
        if not keepdims:
            m = self.reduce(op, "ReduceMax", x, axes, keepdims=False, name=f"{y.name}.largest_flat")
        return op.Add(log, m)

    def _of_each_element(self, op: RewriterContext, x: ir.Value) -> ir.Value:
        """Return what the reduction of no axis makes of each element by itself."""
        if self.root == "ReduceLogSum":
            return op.Log(x)
        return op.Identity(x) if self.root == "ReduceLogSumExp" else op.Abs(x)
