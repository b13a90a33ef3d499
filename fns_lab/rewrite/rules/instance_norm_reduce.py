"""InstanceNormalization in eight basic ops.

    y = gamma * (x - mu) / sqrt(var + eps) + beta,   mu, var over H, W of each image and channel

With S = sum((x - mu)^2) = H W var, gamma / sqrt(var + eps) = gamma sqrt(H W) / sqrt(S + H W eps), so that there is one
division per channel and not one per pixel:

    mu = ReduceMean(x)   d = x - mu   S = ReduceSumSquare(d)   y = d * (gamma sqrt(HW) / Sqrt(S + HW eps)) + beta

x, d, y: `(N, C, H, W)`; mu, S: `(N, C, 1, 1)`.

- Supported: InstanceNormalization 6 and 22, `x` of fixed shape, constant gamma and beta.
- Fidelity: rounding (two passes, as accurate as the op itself).
- Needed by: targets without InstanceNormalization, for more than one image.
- Why not Reshape, ReduceMean and so on, as in the first conversions to ONNX.js: these are 20 nodes. Why not the mean of
  d * d: ONNX.js 0.1.3 fails on a node that reads one computed value twice
  (https://github.com/microsoft/onnxjs/issues/53), and its Pow is undefined for negative values.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

DEFAULT_EPSILON = 1e-5
"""ONNX's default for `epsilon`."""


class InstanceNormReduce(OpRule):
    NAME = "instance-norm-reduce"
    FIDELITY = "rounding"
    EMITS = ("ReduceMean", "Sub", "ReduceSumSquare", "Add", "Sqrt", "Div", "Mul")
    OPS = ("InstanceNormalization",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if len(fixed_shape(x)) != 4:
            raise Refusal(f"{x.name} is not (N, C, H, W)")
        for weight in producer(y).inputs[1:]:
            constant_array(weight)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        _, c, h, w = fixed_shape(x)
        eps = epsilon(producer(y))
        gamma, beta = (constant_array(weight).reshape(1, c, 1, 1) for weight in producer(y).inputs[1:])
        scaled_gamma = initializer(op, gamma * np.float32(math.sqrt(h * w)), f"{y.name}.gamma")
        shift = initializer(op, beta, f"{y.name}.beta")
        scaled_eps = initializer(op, np.full((1, 1, 1, 1), h * w * eps, np.float32), f"{y.name}.epsilon")
        mu = self.reduce(op, "ReduceMean", x, [2, 3], keepdims=True, name=f"{y.name}.mean")
        d = op.Sub(x, mu, _outputs=[f"{y.name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, [2, 3], keepdims=True, name=f"{y.name}.sum_square")
        root = op.Sqrt(op.Add(s, scaled_eps, _outputs=[f"{y.name}.shifted"]), _outputs=[f"{y.name}.root"])
        scale = op.Div(scaled_gamma, root, _outputs=[f"{y.name}.scale"])
        return op.Add(op.Mul(d, scale, _outputs=[f"{y.name}.scaled"]), shift)


def epsilon(instance_norm: ir.Node) -> float:
    """Return the epsilon of an InstanceNormalization."""
    return instance_norm.attributes.get_float("epsilon", DEFAULT_EPSILON)
