"""Cast of a float to a whole number or a boolean that is one in float32 already.

    Cast(x, to=int32)  =  Cast(Floor(Relu(x)) - Floor(Relu(-x)), to=int32)
    Cast(x, to=bool)   =  Cast(Ceil(Clip(|x|, 0, 1)), to=bool)

- Supported: Cast of any opset from float32 to integers or booleans, `x` of any shape.
- Fidelity: exact.
- Needed by: ONNX Runtime Web on webgl, whose Cast copies the floats of a texture.
- Why not Floor alone: it makes -2 of -1.5, and a Cast -1.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule, RewriterContext


class CastTruncated(OpRule):
    NAME = "cast-truncated"
    FIDELITY = "exact"
    WORKS_AROUND = ("untruncated",)
    EMITS = ("Abs", "Ceil", "Clip", "Floor", "Neg", "Relu", "Sub")
    OPS = ("Cast",)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        to, name = ir.DataType(y.dtype or 0), f"{y.name}"
        if to == ir.DataType.BOOL:
            share = self.clip(op, op.Abs(x, _outputs=[f"{name}.size"]), 0.0, 1.0, f"{name}.share", like=x)
            whole = op.Ceil(share, _outputs=[f"{name}.whole"])
        else:
            above = op.Floor(op.Relu(x, _outputs=[f"{name}.positive"]), _outputs=[f"{name}.above"])
            negated = op.Neg(x, _outputs=[f"{name}.negated"])
            below = op.Floor(op.Relu(negated, _outputs=[f"{name}.negative"]), _outputs=[f"{name}.below"])
            whole = op.Sub(above, below, _outputs=[f"{name}.whole"])
        return op.Cast(whole, to=int(to))
