"""Softmax of a value whose largest number is 0.

    Softmax(x)  =  Softmax(x - ReduceMax(x))

along the same axes; any shape of known rank. Softmax of any opset. Fidelity: rounding. ONNX.js's cpu backend subtracts
the largest number itself, but none below 5e-324: where all are below -104, it answers 0.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import rank
from fns_lab.rewrite.rule import OpRule
from fns_lab.rewrite.rules.log_softmax_reduce import ONE_AXIS_SINCE


class SoftmaxShift(OpRule):
    NAME = "softmax-shift"
    FIDELITY = "rounding"
    WORKS_AROUND = ("unshifted",)
    EMITS = ("ReduceMax", "Sub", "Softmax")
    OPS = ("Softmax",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        rank(y.producer())

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        node, one_axis = y.producer(), self.scope.opset >= ONE_AXIS_SINCE
        axis = node.attributes.get_int("axis", -1 if one_axis else 1) % rank(node)
        axes = [axis] if one_axis else list(range(axis, rank(node)))
        largest = self.reduce(op, "ReduceMax", x, axes, keepdims=True, name=f"{y.name}.largest")
        return op.Softmax(op.Sub(x, largest, _outputs=[f"{y.name}.shifted"]), axis=axis)
