"""Nearest upsampling by whole numbers without Resize or Upsample: one Gather per scaled axis.

    y[n, c, i, j] = x[n, c, floor(i / s), floor(j / s)]   =  Gather(Gather(x, rows, axis=2), columns, axis=3)

`(N, C, H, W)` to `(N, C, sH, sW)` by copying alone. Upsample 7 and 9, Resize 10 and later in the modes that repeat
pixels. Fidelity: exact. ONNX.js has no Upsample before 0.1.8 and never a nearest Resize; ONNX Runtime Web's webgl
fails on a nearest Resize. Reshape, Concat, Reshape, the seed's form, needs as many nodes and meets the engines' faults
with reshaped values.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import OrValue

from fns_lab.rewrite.rule import Rule, constant, fixed_shape
from fns_lab.targets import Target
from fns_lab.targets.opset import resize_scales


class ResizeGather(Rule):
    NAME = "resize-gather"
    FIDELITY = "exact"
    EMITS = ("Gather",)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Resize", "Upsample")

    def pattern(self, op, x):
        return getattr(op, self.root)(x, _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)
        resize_scales(y.producer())

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        last = x
        for axis, (size, scale) in enumerate(zip(fixed_shape(x), resize_scales(y.producer()), strict=True)):
            if scale != 1:
                indices = constant(op, np.arange(size).repeat(int(scale)), f"{y.name}.axis{axis}_source")
                last = op.Gather(last, indices, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
        return last if last is not x else op.Identity(x)


def upsampling(op, x, name: str):
    """The pattern of Resize or Upsample, its result bound to `name`."""
    return OrValue(
        [op.Resize(x, _allow_other_inputs=True), op.Upsample(x, _allow_other_inputs=True)],
        name=name,
    )
