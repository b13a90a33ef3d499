"""DynamicQuantizeLinear in float32.

    s = (max - min) / 255      z = Clip(Round(-min / s), 0, 255)      y = Cast(Clip(Round(x / s) + z, 0, 255))

max and min are those of x and 0, and `Round` is that of `quantize-float`. Where all of x is 0, s is 1.

- Supported: DynamicQuantizeLinear 11, float32 of any known rank with elements.
- Fidelity: exact (the same operations in float32 as ONNX Runtime's).
- Needed by: targets without it; `cast-removed` removes the Casts.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import OpsetPatternBuilder

from fns_lab.opset.nodes import fixed_shape, rank
from fns_lab.opset.nodes import producer as producer_of
from fns_lab.rewrite.quantization import constant, limited, rounded, to_integers
from fns_lab.rewrite.rule import Refusal, RewriterContext, Rule, ValuePattern
from fns_lab.targets import Target

LARGE = 1e30
"""Twice a factor that makes every float32 number but 0 larger than 1."""


class DynamicQuantizeFloat(Rule):
    NAME = "dynamic-quantize-float"
    FIDELITY = "exact"
    EMITS = ("ReduceMin", "ReduceMax", "Relu", "Neg", "Add", "Sub", "Mul", "Div")  # and a Clip and Casts

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("DynamicQuantizeLinear",)

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern) -> ValuePattern:
        return op.DynamicQuantizeLinear(x, _outputs=["y", "scale", "zero"])

    def guard(self, x: ir.Value, y: ir.Value, scale: ir.Value, zero: ir.Value) -> None:
        rank(producer_of(y))
        if 0 in fixed_shape(x):
            raise Refusal(f"{x.name} has no elements")

    def rewrite(
        self, op: RewriterContext, x: ir.Value, y: ir.Value, scale: ir.Value, zero: ir.Value
    ) -> Sequence[ir.Value]:
        axes, name = list(range(len(fixed_shape(x)))), y.name
        largest = self.reduce(op, "ReduceMax", x, axes, keepdims=False, name=f"{name}.largest")
        above = op.Relu(largest, _outputs=[f"{name}.above"])  # max(x, 0)
        least = self.reduce(op, "ReduceMin", x, axes, keepdims=False, name=f"{name}.least")
        below = op.Relu(op.Neg(least, _outputs=[f"{name}.negated"]), _outputs=[f"{name}.below"])  # -min(x, 0)
        extent = op.Add(above, below, _outputs=[f"{name}.extent"])
        step = op.Div(extent, constant(op, scale, np.array(255), f"{name}.steps"), _outputs=[f"{name}.step"])
        s = op.Add(step, self._one_for_zero(op, step, scale), _outputs=[f"{name}.scale"])
        start = rounded(self, op, op.Div(below, s, _outputs=[f"{name}.start"]), scale, f"{name}.first")
        z = limited(self, op, start, 0, 255, f"{name}.zero_point")
        near = rounded(self, op, op.Div(x, s, _outputs=[f"{name}.scaled"]), x, f"{name}.rounded")
        kept = limited(self, op, op.Add(near, z, _outputs=[f"{name}.moved"]), 0, 255, f"{name}.kept")
        integers = [to_integers(op, v, ir.DataType.UINT8, f"{out.name}") for v, out in ((kept, y), (z, zero))]
        return [integers[0], s, integers[1]]

    def _one_for_zero(self, op: RewriterContext, step: ir.Value, scale: ir.Value) -> ir.Value:
        """Return 1 where the step is 0, else 0."""
        large = constant(op, scale, np.array(LARGE), f"{scale.name}.large")
        larger = op.Mul(op.Mul(step, large, _outputs=[f"{scale.name}.larger"]), large)
        larger.name = f"{scale.name}.not_zero"
        one = constant(op, scale, np.array(1), f"{scale.name}.one")
        return op.Sub(
            one, limited(self, op, larger, 0, 1, f"{scale.name}.above_zero"), _outputs=[f"{scale.name}.for_zero"]
        )
