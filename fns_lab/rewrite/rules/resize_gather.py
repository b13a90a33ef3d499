"""Nearest resizing without Resize or Upsample: one Gather per scaled axis.

    y[n, c, i, j] = x[n, c, rows[i], columns[j]]   =  Gather(Gather(x, rows, axis=2), columns, axis=3)

`(N, C, H, W)` to `(N, C, H', W')` by copying alone, with rows[i] = floor(i / s) where pixels are repeated. Upsample 7
and 9, Resize 10 and later, up or down, in every way of rounding. Fidelity: exact. ONNX.js has no Upsample before 0.1.8
and never a nearest Resize; ONNX Runtime Web's webgl fails on a nearest Resize. Reshape, Concat, Reshape, the form of
the first ONNX.js conversions, needs as many nodes and meets the engines' faults with reshaped values.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import OrValue

from fns_lab.rewrite.resampling import resized_axes, sources
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.targets import Target


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
        node = y.producer()
        if (mode := node.attributes.get_string("mode", "nearest")) != "nearest":
            raise Refusal(f"{node.op_type} in mode {mode} mixes pixels, a Gather copies them")
        for axis in resized_axes(node):
            sources(node, axis)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        last, node = x, y.producer()
        for index, axis in enumerate(resized_axes(node)):
            rows = sources(node, axis)
            if not np.array_equal(rows, np.arange(axis.old)):
                indices = initializer(op, rows, f"{y.name}.axis{index}_source")
                last = op.Gather(last, indices, axis=index, _outputs=[f"{y.name}.axis{index}"])
        return last if last is not x else op.Identity(x)


def upsampling(op, x, name: str):
    """The pattern of Resize or Upsample, its result bound to `name`."""
    return OrValue(
        [op.Resize(x, _allow_other_inputs=True), op.Upsample(x, _allow_other_inputs=True)],
        name=name,
    )
