"""Softmax along an axis that is not the last, between two Transposes.

    Softmax(x, axis)  =  Transpose(Softmax(Transpose(x), last axis)),   both swap `axis` and the last one

- Supported: Softmax 13, any shape of known rank.
- Fidelity: exact.
- Needed by: targets below opset 13, where Softmax runs over all axes from `axis` on, so that it can't be converted.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, producer, rank
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class SoftmaxTranspose(OpRule):
    NAME = "softmax-transpose"
    FIDELITY = "exact"
    EMITS = ("Transpose", "Softmax")
    OPS = ("Softmax",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        if self.opset < ONE_AXIS_SINCE:
            raise Refusal(f"before opset {ONE_AXIS_SINCE} a Softmax runs over several axes")
        if rank(node) - 1 == axis_attribute(node, -1):
            raise Refusal("the Softmax already runs along the last axis")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        perm, axis = list(range(rank(node))), axis_attribute(node, -1)
        perm[axis], perm[-1] = perm[-1], perm[axis]
        turned = op.Transpose(x, perm=perm, _outputs=[f"{y.name}.turned"])
        return op.Transpose(op.Softmax(turned, axis=-1, _outputs=[f"{y.name}.softmax"]), perm=perm)
