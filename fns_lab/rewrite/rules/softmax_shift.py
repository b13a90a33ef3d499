"""Softmax of a value whose largest element is 0.

    Softmax(x)  =  Softmax(x - ReduceMax(x)),   both along the same axes

- Supported: Softmax of any opset, any shape of known rank.
- Fidelity: rounding.
- Needed by: ONNX.js on cpu, which subtracts the largest element or 5e-324, whichever is larger: if all elements are
  below -104, its result is 0.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.rules.log_softmax_reduce import softmax_axes


class SoftmaxShift(OpRule):
    NAME = "softmax-shift"
    FIDELITY = "rounding"
    WORKS_AROUND = ("unshifted",)
    EMITS = ("ReduceMax", "Sub", "Softmax")
    OPS = ("Softmax",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        softmax_axes(producer(y), self.opset)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        axes = softmax_axes(producer(y), self.opset)
        largest = self.reduce(op, "ReduceMax", x, axes, keepdims=True, name=f"{y.name}.largest")
        return op.Softmax(op.Sub(x, largest, _outputs=[f"{y.name}.shifted"]), axis=axes[0])
