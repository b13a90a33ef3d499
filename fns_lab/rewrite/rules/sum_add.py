"""Sum of values of unlike shapes as Add after Add.

    Sum(a, b, c)  =  Add(Add(a, b), c)

Any shapes that broadcast. Sum 8 and 13; Sum 6, which older targets have, wants equal shapes. Fidelity: exact.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule


class SumAdd(OpRule):
    NAME = "sum-add"
    FIDELITY = "exact"
    EMITS = ("Add",)
    OPS = ("Sum",)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        last = x
        for i, other in enumerate(y.producer().inputs[1:]):
            last = op.Add(last, other, _outputs=[f"{y.name}.sum{i}"])
        return last if last is not x else op.Identity(x)
