"""Cast to int64 as CastLike.

    Cast(x, to=int64)  =  CastLike(x, an int64 number)

- Supported: Cast to int64 of any type, from opset 15 on, which has CastLike.
- Fidelity: exact.
- Needed by: tract, whose Cast to int64 gives its own type of sizes, cut to int32. Its CastLike gives int64.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

SINCE = 15
"""The first opset that has CastLike."""


class CastAsLike(OpRule):
    NAME = "cast-as-like"
    FIDELITY = "exact"
    EMITS = ("CastLike",)
    OPS = ("Cast",)
    TYPES = None
    WORKS_AROUND = ("cast-from-wider", "leads-to")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if self.opset < SINCE:
            raise Refusal(f"CastLike comes with opset {SINCE}; the model has opset {self.opset}")
        if (to := producer(y).attributes.get_int("to", 0)) != ir.DataType.INT64:
            raise Refusal(f"the Cast is to {ir.DataType(to).name}, int64 is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return op.CastLike(x, initializer(op, np.array(0, np.int64), f"{y.name}.like"))
