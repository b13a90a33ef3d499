"""Softmax along an axis that is not the last: the same between two Transposes.

    Softmax(x, axis)  =  Transpose(Softmax(Transpose(x), last axis)),   both swap `axis` and the last one

Any shape of known rank. Softmax and Hardmax 13; before opset 13 these ops flattened the axes from `axis` on to one, so
that such a node has no older form. Fidelity: exact.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import rank
from fns_lab.rewrite.rule import OpRule, Refusal
from fns_lab.rewrite.rules.log_softmax_reduce import ONE_AXIS_SINCE


class SoftmaxTranspose(OpRule):
    NAME = "softmax-transpose"
    FIDELITY = "exact"
    EMITS = ("Transpose", "Softmax")
    OPS = ("Softmax",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if self.scope.opset < ONE_AXIS_SINCE:
            raise Refusal(f"before opset {ONE_AXIS_SINCE} it runs over several axes")
        if rank(y.producer()) - 1 == y.producer().attributes.get_int("axis", -1) % rank(y.producer()):
            raise Refusal("it runs along the last axis already")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        perm = list(range(rank(y.producer())))
        axis = y.producer().attributes.get_int("axis", -1)
        perm[axis], perm[-1] = perm[-1], perm[axis]
        turned = op.Transpose(x, perm=perm, _outputs=[f"{y.name}.turned"])
        return op.Transpose(op.Softmax(turned, axis=-1, _outputs=[f"{y.name}.softmax"]), perm=perm)
