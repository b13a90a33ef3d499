"""Sum as Add after Add.

    Sum(a, b, c)  =  Add(Add(a, b), c)

- Supported: Sum of any opset, any shapes that broadcast.
- Fidelity: exact.
- Needed by: targets below opset 8, whose Sum does not broadcast.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.rule import FLOATS, OpRule, RewriterContext


class SumAdd(OpRule):
    NAME = "sum-add"
    FIDELITY = "exact"
    EMITS = ("Add",)
    OPS = ("Sum",)
    TYPES = FLOATS

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        total = x
        for i, other in enumerate(producer(y).inputs[1:]):
            total = op.Add(total, other, _outputs=[f"{y.name}.sum{i}"])
        return total if total is not x else op.Identity(x)
