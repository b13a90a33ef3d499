"""InstanceNormalization in eight basic ops.

    y = gamma * (x - mu) / sqrt(var + eps) + beta,   mu, var over H, W of each sample and channel

Let S = sum((x - mu)^2) = H W var. Then gamma / sqrt(var + eps) = gamma sqrt(H W) / sqrt(S + H W eps), so that the
division is by channel and not by pixel:

    mu = ReduceMean(x)   d = x - mu   S = ReduceSumSquare(d)   y = d * (gamma sqrt(HW) / Sqrt(S + HW eps)) + beta

x, d, y: `(N, C, H, W)`; mu, S: `(N, C, 1, 1)`. InstanceNormalization 6 and 22. Fidelity: rounding (two-pass, as good
as the op itself). The form by Reshape, ReduceMean and so on of the first ONNX.js conversions takes 20. ReduceSumSquare
rather than the mean of d * d: ONNX.js 0.1.3 fails on a node that takes one result twice
(https://github.com/microsoft/onnxjs/issues/53), and Pow is undefined there for negative values.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.targets import Target

DEFAULT_EPSILON = 1e-5
"""Of ONNX's InstanceNormalization."""


class InstanceNormReduce(Rule):
    NAME = "instance-norm-reduce"
    FIDELITY = "rounding"
    EMITS = ("ReduceMean", "Sub", "ReduceSumSquare", "Add", "Sqrt", "Div", "Mul")

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("InstanceNormalization",)

    def pattern(self, op, x, gamma, beta):
        return op.InstanceNormalization(x, gamma, beta, _outputs=["y"])

    def guard(self, x: ir.Value, gamma: ir.Value, beta: ir.Value, y: ir.Value) -> None:
        if len(fixed_shape(x)) != 4:
            raise Refusal(f"{x.name} is not (N, C, H, W)")
        constant_array(gamma), constant_array(beta)

    def rewrite(self, op, x: ir.Value, gamma: ir.Value, beta: ir.Value, y: ir.Value) -> ir.Value:
        _, c, h, w = fixed_shape(x)
        eps = epsilon(y)
        per_channel = (1, c, 1, 1)
        scaled_gamma = initializer(
            op, constant_array(gamma).reshape(per_channel) * np.float32(math.sqrt(h * w)), f"{y.name}.gamma"
        )
        shift = initializer(op, constant_array(beta).reshape(per_channel), f"{y.name}.beta")
        scaled_eps = initializer(op, np.full((1, 1, 1, 1), h * w * eps, np.float32), f"{y.name}.epsilon")
        mu = self.reduce(op, "ReduceMean", x, [2, 3], keepdims=True, name=f"{y.name}.mean")
        d = op.Sub(x, mu, _outputs=[f"{y.name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, [2, 3], keepdims=True, name=f"{y.name}.sum_square")
        root = op.Sqrt(op.Add(s, scaled_eps, _outputs=[f"{y.name}.shifted"]), _outputs=[f"{y.name}.root"])
        scale = op.Div(scaled_gamma, root, _outputs=[f"{y.name}.scale"])
        return op.Add(op.Mul(d, scale, _outputs=[f"{y.name}.scaled"]), shift)


def epsilon(y: ir.Value) -> float:
    """The epsilon of the InstanceNormalization that made `y`."""
    return y.producer().attributes.get_float("epsilon", DEFAULT_EPSILON)
