"""GroupNormalization as InstanceNormalization of a value whose channels are the groups.

    y = gamma * Reshape(InstanceNormalization(Reshape(x, (N, G, C/G H, W)), 1, 0), (N, C, H, W)) + beta

x, y: `(N, C, ...)`; gamma, beta: `(C,)` from opset 21 on, `(G,)` before.

- Supported: GroupNormalization 18 and 21, `x` of fixed shape, constant gamma and beta.
- Fidelity: rounding (as accurate as InstanceNormalization).
- Needed by: targets without GroupNormalization.
- Why not ONNX's function body: it subtracts E[x]^2 from E[x^2].
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext, initializer

DEFAULT_EPSILON = 1e-5
"""ONNX's default for `epsilon`."""
BY_CHANNEL_SINCE = 21
"""Opset from which gamma and beta have one value per channel instead of one per group."""


class GroupNormInstanceNorm(OpRule):
    NAME = "group-norm-instance-norm"
    FIDELITY = "rounding"
    EMITS = ("Reshape", "Mul", "Add")
    OPS = ("GroupNormalization",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)
        for weight in producer(y).inputs[1:3]:
            constant_array(weight)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, (n, c, *inner) = producer(y), fixed_shape(x)
        groups = node.attributes["num_groups"].as_int()
        per_group = 1 if self.opset >= BY_CHANNEL_SINCE else c // groups
        gamma, beta = (
            constant_array(value).repeat(per_group).reshape(1, c, *(1 for _ in inner)) for value in node.inputs[1:3]
        )
        image = (n, groups, c // groups, math.prod(inner))
        grouped = self.reshape(op, x, image, f"{y.name}.grouped")
        grouped.shape, grouped.type = ir.Shape(image), x.type
        ones = initializer(op, np.ones(groups, np.float32), f"{y.name}.ones")
        zeros = initializer(op, np.zeros(groups, np.float32), f"{y.name}.zeros")
        eps = node.attributes.get_float("epsilon", DEFAULT_EPSILON)
        normal = op.InstanceNormalization(grouped, ones, zeros, epsilon=eps, _outputs=[f"{y.name}.normal"])
        channels = self.reshape(op, normal, (n, c, *inner), f"{y.name}.channels")
        scaled = op.Mul(channels, initializer(op, gamma, f"{y.name}.gamma"), _outputs=[f"{y.name}.scaled"])
        return op.Add(scaled, initializer(op, beta, f"{y.name}.beta"))
