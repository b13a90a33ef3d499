"""A difference as a sum.

    Sub(a, b)  =  Add(a, Neg(b))

- Supported: Sub of any opset, float32 of any shape.
- Fidelity: exact.
- Needed by: OpenCV, which joins the parts of LogSoftmax, of which Sub is the last, to one node that overflows.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import node_input, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext


class SubAddNeg(OpRule):
    NAME = "sub-add-neg"
    FIDELITY = "exact"
    WORKS_AROUND = ("log-softmax-by-parts",)
    EMITS = ("Add", "Neg")
    OPS = ("Sub",)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return op.Add(x, op.Neg(node_input(producer(y), 1), _outputs=[f"{y.name}.negative"]))
