"""LRN as a 1x1 Conv over the squares.

    y = x * Exp(-beta Log(bias + alpha / size * sum of x^2 over `size` channels around its own))

The sum over channels is a Conv of x^2 with a band of ones, `(C, C, 1, 1)`, its bias is `bias`; with bias > 0 the
logarithm is of a positive number. x, y: `(N, C, H, W)`, C fixed. LRN 1 and 13. Fidelity: rounding. ONNX.js has no LRN
on webgl.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, rank
from fns_lab.rewrite.rule import OpRule, Refusal, initializer, scalar


class LrnConv(OpRule):
    NAME = "lrn-conv"
    FIDELITY = "rounding"
    EMITS = ("Mul", "Conv", "Log", "Exp")
    OPS = ("LRN",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_size(x, 1)
        if rank(y.producer()) != 4:
            raise Refusal(f"{x.name} is not (N, C, H, W)")
        if y.producer().attributes.get_float("bias", 1.0) <= 0:
            raise Refusal("its bias is not above 0")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        attributes, c = y.producer().attributes, fixed_size(x, 1)
        size, bias = attributes["size"].as_int(), attributes.get_float("bias", 1.0)
        distance = np.arange(c) - np.arange(c)[:, None]
        band = (distance >= -((size - 1) // 2)) & (distance <= size // 2)
        band = band.astype(np.float32).reshape(c, c, 1, 1) * np.float32(attributes.get_float("alpha", 1e-4) / size)
        squares = op.Mul(x, x, _outputs=[f"{y.name}.squares"])
        around = op.Conv(
            squares, initializer(op, band, f"{y.name}.band"), initializer(op, np.full(c, bias, np.float32), f"{y.name}.bias"),
            kernel_shape=[1, 1], _outputs=[f"{y.name}.around"],
        )  # fmt: skip
        log = op.Log(around, _outputs=[f"{y.name}.log"])
        beta = scalar(op, x, -attributes.get_float("beta", 0.75), f"{y.name}.minus_beta")
        power = op.Exp(op.Mul(log, beta, _outputs=[f"{y.name}.exponent"]), _outputs=[f"{y.name}.factor"])
        return op.Mul(x, power)
