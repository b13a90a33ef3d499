"""Cast of a boolean to a number, where comparisons and logic compute it as 0 or 1 in float32.

    Cast(a > b, to=float)  =  1 - Relu(1 - Ceil(Relu(a - b)))        and so on, see `fns_lab.rewrite.steps`

- Supported: Cast of any opset from a boolean to float32, computed from float32.
- Fidelity: rounding; a NaN compares otherwise.
- Needed by: ONNX.js on webgl, which has no Cast.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import name_of
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext
from fns_lab.rewrite.steps import STEP_OPS, raise_unless_step, step_of


class CastStep(OpRule):
    NAME = "cast-step"
    FIDELITY = "rounding"
    EMITS = STEP_OPS
    OPS = ("Cast",)
    TYPES = frozenset({ir.DataType.BOOL})

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, float32 is needed")
        raise_unless_step(x)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return step_of(op, x, name_of(y))
