"""The output of an Einsum, stated.

    Einsum("...ij,jk")  =  Einsum("...ij,jk->...ik")

- Supported: Einsum of any opset, shape and element type whose equation has no `->`.
- Fidelity: exact. ONNX says which dimensions are meant: those of the ellipsis, then every letter that occurs once, in
  alphabetical order.
- Needed by: OpenCV, which fails on an equation with an ellipsis and no output, or sums over the ellipsis too.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.rule import OpRule, RewriterContext

ELLIPSIS = "..."


class EinsumOutput(OpRule):
    NAME = "einsum-output"
    FIDELITY = "exact"
    WORKS_AROUND = ("implicit-ellipsis",)
    EMITS = ("Einsum",)
    OPS = ("Einsum",)
    TYPES = None

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        terms = node.attributes.get_string("equation", "").replace(" ", "")
        letters = terms.replace(ELLIPSIS, "").replace(",", "")
        once = "".join(sorted(letter for letter in letters if letters.count(letter) == 1))
        output = (ELLIPSIS if ELLIPSIS in terms else "") + once
        return op.Einsum(*node.inputs, equation=f"{terms}->{output}")
