"""InstanceNormalization of one image as BatchNormalization with computed statistics: four nodes.

    BatchNormalization(x, gamma, beta, mu, var; eps) = gamma (x - mu) / sqrt(var + eps) + beta,  all per channel (C,)

With a computed mean it subtracts; with S = sum((x - mu)^2) = H W var as its variance, H W eps as its epsilon and
gamma sqrt(H W) as its scale it normalizes:

    mu = ReduceMean(x)            d = BatchNormalization(x, 1, 0, mu, 1)
    S = ReduceSumSquare(d)        y = BatchNormalization(d, gamma sqrt(HW), beta, 0, S; HW eps)

x, d, y: `(1, C, H, W)`; mu, S: `(C,)`, over N, H and W.

- Supported: InstanceNormalization 6 and 22, one image of fixed shape, constant gamma and beta.
- Fidelity: rounding (two passes).
- Needed by: targets without InstanceNormalization. ONNX.js runs BatchNormalization many times faster than Sub, Mul or
  Add with a `(1, C, 1, 1)` operand, whose elements its cpu and wasm backends look up one by one.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, node_inputs, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.rules.instance_norm_reduce import epsilon

NO_EPSILON = 1e-12
"""1 + 1e-12 is 1 in float32; not 0, which a writer or reader of protobuf may take for an absent attribute."""


class InstanceNormBatchNorm(OpRule):
    NAME = "instance-norm-batch-norm"
    FIDELITY = "rounding"
    EMITS = ("ReduceMean", "ReduceSumSquare", "BatchNormalization")
    OPS = ("InstanceNormalization",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        shape = fixed_shape(x)
        if len(shape) != 4 or shape[0] != 1:
            raise Refusal(
                f"{x.name} is not (1, C, H, W), and BatchNormalization has the same statistics for all images"
            )
        for weight in producer(y).inputs[1:]:
            constant_array(weight)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        _, gamma, beta = node_inputs(producer(y))
        _, c, h, w = fixed_shape(x)
        eps = epsilon(producer(y))
        ones = initializer(op, np.ones(c, np.float32), f"{y.name}.ones")
        zeros = initializer(op, np.zeros(c, np.float32), f"{y.name}.zeros")
        scaled_gamma = initializer(op, constant_array(gamma) * np.float32(math.sqrt(h * w)), f"{y.name}.gamma")
        mu = self.reduce(op, "ReduceMean", x, [0, 2, 3], keepdims=False, name=f"{y.name}.mean")
        d = op.BatchNormalization(x, ones, zeros, mu, ones, epsilon=NO_EPSILON, _outputs=[f"{y.name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, [0, 2, 3], keepdims=False, name=f"{y.name}.sum_square")
        return op.BatchNormalization(d, scaled_gamma, beta, zeros, s, epsilon=h * w * eps)
