"""LogSoftmax in basic ops, without the logarithm of a Softmax that has become 0.

    m = ReduceMax(x)   d = x - m   y = d - Log(ReduceSum(Exp(d))),   reductions along `axis`

Any shape. LogSoftmax of any opset; before opset 13 it ran over all axes from `axis` on, and so do these reductions.
Fidelity: rounding. No version of ONNX.js has LogSoftmax.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import rank
from fns_lab.rewrite.rule import OpRule

ONE_AXIS_SINCE = 13
"""Opset from which Softmax and its kin run along one axis."""


class LogSoftmaxReduce(OpRule):
    NAME = "log-softmax-reduce"
    FIDELITY = "rounding"
    EMITS = ("ReduceMax", "Sub", "Exp", "ReduceSum", "Log")
    OPS = ("LogSoftmax",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        rank(y.producer())

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        axes = self._axes(y.producer())
        m = self.reduce(op, "ReduceMax", x, axes, keepdims=True, name=f"{y.name}.largest")
        d = op.Sub(x, m, _outputs=[f"{y.name}.shifted"])
        e = op.Exp(d, _outputs=[f"{y.name}.exp"])
        s = self.reduce(op, "ReduceSum", e, axes, keepdims=True, name=f"{y.name}.sum")
        return op.Sub(d, op.Log(s, _outputs=[f"{y.name}.log"]))

    def _axes(self, node: ir.Node) -> list[int]:
        if self.scope.opset >= ONE_AXIS_SINCE:
            return [node.attributes.get_int("axis", -1) % rank(node)]
        return list(range(node.attributes.get_int("axis", 1) % rank(node), rank(node)))
