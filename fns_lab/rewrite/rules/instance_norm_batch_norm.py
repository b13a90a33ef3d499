"""InstanceNormalization of one image as BatchNormalization fed with computed statistics: four nodes.

    BatchNormalization(x, gamma, beta, mu, var; eps) = gamma (x - mu) / sqrt(var + eps) + beta,  all by channel (C,)

Given a mean that is computed, it subtracts; given S = sum((x - mu)^2) = H W var for its variance, H W eps for its
epsilon and gamma sqrt(H W) for its scale, it normalises:

    mu = ReduceMean(x)            d = BatchNormalization(x, 1, 0, mu, 1)
    S = ReduceSumSquare(d)        y = BatchNormalization(d, gamma sqrt(HW), beta, 0, S; HW eps)

x, d, y: `(1, C, H, W)`; mu, S: `(C,)`, over N, H and W, which is right for N = 1 only. InstanceNormalization 6 and 22.
Fidelity: rounding (two-pass). ONNX.js runs BatchNormalization many times faster than Sub, Mul or Add with a
`(1, C, 1, 1)` operand, which its cpu and wasm backends index element by element.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.rewrite.rules.instance_norm_reduce import epsilon
from fns_lab.targets import Target

NO_EPSILON = 1e-12
"""1 + 1e-12 is 1 in float32; not 0, which a writer or reader of protobuf may take for an absent attribute."""


class InstanceNormBatchNorm(Rule):
    NAME = "instance-norm-batch-norm"
    FIDELITY = "rounding"
    EMITS = ("ReduceMean", "ReduceSumSquare", "BatchNormalization")

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("InstanceNormalization",)

    def pattern(self, op, x, gamma, beta):
        return op.InstanceNormalization(x, gamma, beta, _outputs=["y"])

    def guard(self, x: ir.Value, gamma: ir.Value, beta: ir.Value, y: ir.Value) -> None:
        shape = fixed_shape(x)
        if len(shape) != 4 or shape[0] != 1:
            raise Refusal(f"{x.name} is not (1, C, H, W): BatchNormalization shares its statistics among samples")
        constant_array(gamma), constant_array(beta)

    def rewrite(self, op, x: ir.Value, gamma: ir.Value, beta: ir.Value, y: ir.Value) -> ir.Value:
        _, c, h, w = fixed_shape(x)
        eps = epsilon(y)
        ones = initializer(op, np.ones(c, np.float32), f"{y.name}.ones")
        zeros = initializer(op, np.zeros(c, np.float32), f"{y.name}.zeros")
        scaled_gamma = initializer(op, constant_array(gamma) * np.float32(math.sqrt(h * w)), f"{y.name}.gamma")
        mu = self.reduce(op, "ReduceMean", x, [0, 2, 3], keepdims=False, name=f"{y.name}.mean")
        d = op.BatchNormalization(x, ones, zeros, mu, ones, epsilon=NO_EPSILON, _outputs=[f"{y.name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, [0, 2, 3], keepdims=False, name=f"{y.name}.sum_square")
        return op.BatchNormalization(d, scaled_gamma, beta, zeros, s, epsilon=h * w * eps)
