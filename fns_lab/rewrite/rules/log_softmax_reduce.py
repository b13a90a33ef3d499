"""LogSoftmax in basic ops.

    m = ReduceMax(x)   d = x - m   y = d - Log(ReduceSum(Exp(d))),   reductions along `axis`

Before opset 13, along all axes from `axis` on.

- Supported: LogSoftmax of any opset, any shape of known rank.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have no LogSoftmax.
- Why not Log(Softmax(x)): a Softmax may round to 0.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, producer, rank
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.rewrite.rule import OpRule, RewriterContext


class LogSoftmaxReduce(OpRule):
    NAME = "log-softmax-reduce"
    FIDELITY = "rounding"
    EMITS = ("ReduceMax", "Sub", "Exp", "ReduceSum", "Log")
    OPS = ("LogSoftmax",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        softmax_axes(producer(y), self.opset)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        axes = softmax_axes(producer(y), self.opset)
        m = self.reduce(op, "ReduceMax", x, axes, keepdims=True, name=f"{y.name}.largest")
        d = op.Sub(x, m, _outputs=[f"{y.name}.shifted"])
        e = op.Exp(d, _outputs=[f"{y.name}.exp"])
        s = self.reduce(op, "ReduceSum", e, axes, keepdims=True, name=f"{y.name}.sum")
        return op.Sub(d, op.Log(s, _outputs=[f"{y.name}.log"]))


def softmax_axes(node: ir.Node, opset: int) -> list[int]:
    """Return the axes that a Softmax or LogSoftmax runs over at this opset. Raises `NodeError` without a known rank."""
    if opset >= ONE_AXIS_SINCE:
        return [axis_attribute(node, -1)]
    return list(range(axis_attribute(node, 1), rank(node)))
