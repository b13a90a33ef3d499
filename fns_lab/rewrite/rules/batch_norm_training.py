"""BatchNormalization in training mode in basic ops.

    y = d * (gamma sqrt(n) / Sqrt(S + n eps)) + beta,   mu = ReduceMean(x)   d = x - mu   S = ReduceSumSquare(d)
    running_mean = momentum mean + (1 - momentum) mu        running_var = momentum var + (1 - momentum) S / n

x, d, y: `(N, C, ...)`; mu, S: `(1, C, 1, ...)`, over all axes but the channels, n elements; gamma, beta, the running
values: `(C,)`.

- Supported: BatchNormalization 14 and 15 with training_mode 1, any number of outputs, `x` of fixed shape.
- Fidelity: rounding (two passes).
- Needed by: ONNX.js and other targets, which know the statistics of inference only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, node_inputs, producer
from fns_lab.rewrite.rule import Refusal, RewriterContext, scalar
from fns_lab.rewrite.several_outputs import SeveralOutputsRule


class BatchNormTraining(SeveralOutputsRule):
    NAME = "batch-norm-training"
    FIDELITY = "rounding"
    EMITS = ("Add", "Div", "Mul", "ReduceMean", "ReduceSumSquare", "Reshape", "Sqrt", "Sub")
    OPS = ("BatchNormalization",)

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        training = nodes[0].attributes.get_int("training_mode", 0)
        return bool(training) and super().is_needed(nodes)

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        if len(fixed_shape(x)) < 2:
            raise Refusal(f"{x.name} is not (N, C, ...)")
        node_inputs(producer(y0))

    def rewrite(self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value) -> list[ir.Value]:
        node, shape, name = producer(y0), fixed_shape(x), str(y0.name)
        _, gamma, beta, mean, variance = node_inputs(node)
        channels, axes = shape[1], [axis for axis in range(len(shape)) if axis != 1]
        n = math.prod(shape) // channels
        mu = self.reduce(op, "ReduceMean", x, axes, keepdims=True, name=f"{name}.mean")
        d = op.Sub(x, mu, _outputs=[f"{name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, axes, keepdims=True, name=f"{name}.sum_square")
        eps = scalar(op, x, n * node.attributes.get_float("epsilon", 1e-5), f"{name}.epsilon")
        root = op.Sqrt(op.Add(s, eps, _outputs=[f"{name}.shifted"]), _outputs=[f"{name}.root"])
        per_channel = (1, channels, *[1] * (len(shape) - 2))
        weight = self.reshape(op, gamma, per_channel, f"{name}.gamma")
        factor = op.Mul(weight, scalar(op, x, math.sqrt(n), f"{name}.root_n"), _outputs=[f"{name}.factor"])
        scale = op.Div(factor, root, _outputs=[f"{name}.scale"])
        shift = self.reshape(op, beta, per_channel, f"{name}.beta")
        result = op.Add(op.Mul(d, scale, _outputs=[f"{name}.scaled"]), shift)
        momentum = node.attributes.get_float("momentum", 0.9)
        flat = [self.reshape(op, value, (channels,), f"{name}.{what}") for value, what in ((mu, "mu"), (s, "sums"))]
        shares = [1 - momentum, (1 - momentum) / n]
        running = [
            op.Add(
                op.Mul(old, scalar(op, old, momentum, f"{name}.momentum")),
                op.Mul(new, scalar(op, old, share, f"{name}.share")),
            )
            for old, new, share in zip((mean, variance), flat, shares, strict=True)
        ]
        return [result, *running[: self.outputs - 1]]
