"""LRN as a 1x1 Conv of the squares.

    y = x * Exp(-beta Log(bias + alpha / size * sum of x^2 over the `size` channels around this one))

The sum over channels is a Conv of x^2 with a band matrix of ones, `(C, C, 1, 1)`, and `bias` as its bias. Since
bias > 0 the logarithm is of a positive number.

- Supported: LRN 1 and 13, x `(N, C, H, W)` with C fixed, bias > 0, alpha >= 0.
- Fidelity: rounding.
- Needed by: ONNX.js on webgl, which has no LRN.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer, scalar


class LrnConv(OpRule):
    NAME = "lrn-conv"
    FIDELITY = "rounding"
    EMITS = ("Mul", "Conv", "Log", "Exp")
    OPS = ("LRN",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        fixed_size(x, 1)
        if rank(node) != 4:
            raise Refusal(f"{x.name} is not (N, C, H, W)")
        if (alpha := node.attributes.get_float("alpha", 1e-4)) < 0:
            raise Refusal(f"the attribute alpha is {alpha:g}, below 0")
        if (bias := node.attributes.get_float("bias", 1.0)) <= 0:
            raise Refusal(f"the attribute bias is {bias:g}, not above 0")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        attributes, c = producer(y).attributes, fixed_size(x, 1)
        size, bias = attributes["size"].as_int(), attributes.get_float("bias", 1.0)
        distance = np.arange(c) - np.arange(c)[:, None]
        near = (distance >= -((size - 1) // 2)) & (distance <= size // 2)
        band = near.astype(np.float32).reshape(c, c, 1, 1) * np.float32(attributes.get_float("alpha", 1e-4) / size)
        squares = op.Mul(x, x, _outputs=[f"{y.name}.squares"])
        weights = (
            initializer(op, band, f"{y.name}.band"),
            initializer(op, np.full(c, bias, np.float32), f"{y.name}.bias"),
        )
        around = op.Conv(squares, *weights, kernel_shape=[1, 1], _outputs=[f"{y.name}.around"])
        log = op.Log(around, _outputs=[f"{y.name}.log"])
        beta = scalar(op, x, -attributes.get_float("beta", 0.75), f"{y.name}.minus_beta")
        power = op.Exp(op.Mul(log, beta, _outputs=[f"{y.name}.exponent"]), _outputs=[f"{y.name}.factor"])
        return op.Mul(x, power)
