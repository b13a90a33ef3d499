"""A normalization of values around their mean.

    InstanceNormalization(x)  =  InstanceNormalization(x - ReduceMean(x))

and so for LayerNormalization, the mean over the axes that are normalized together: a shift of these changes nothing.

- Supported: both ops of any opset, float32, a known rank, one output.
- Fidelity: rounding.
- Needed by: OpenCV, whose variance is the mean of the squares minus the square of the mean. Both are large and nearly
  equal where the mean is far from zero, and little of their difference is right.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, from_the_front, producer, rank
from fns_lab.rewrite.rule import OpRule, RewriterContext


class NormCentre(OpRule):
    NAME = "norm-centre"
    FIDELITY = "rounding"
    WORKS_AROUND = ("uncentred",)
    EMITS = ("ReduceMean", "Sub")
    OPS = ("InstanceNormalization", "LayerNormalization")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        rank(producer(y))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        first = 2 if node.op_type == "InstanceNormalization" else axis_attribute(node, -1)
        axes = list(range(from_the_front(first, rank(node)), rank(node)))
        mean = self.reduce(op, "ReduceMean", x, axes, keepdims=True, name=f"{y.name}.mean")
        centred = op.Sub(x, mean, _outputs=[f"{y.name}.centred"])
        return op.op(node.op_type, centred, *node.inputs[1:], **node.attributes)
