"""LayerNormalization in eight basic ops.

    y = gamma * (x - mu) / sqrt(var + eps) + beta,   mu, var over the axes from `axis` on, n elements

With S = sum((x - mu)^2) = n var:

    mu = ReduceMean(x)   d = x - mu   S = ReduceSumSquare(d)   y = d / Sqrt(S + n eps) * (gamma sqrt(n)) + beta

x, d, y: `(..., D)`; mu, S: `(..., 1)`.

- Supported: LayerNormalization 17, any rank, fixed sizes along the reduced axes, constant gamma and beta; only the
  first output used.
- Fidelity: rounding (two passes).
- Needed by: targets without LayerNormalization.
- Why not ONNX's function body: it subtracts E[x]^2 from E[x^2], which loses the variance of values far from 0, and has
  20 nodes.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, constant_array, fixed_size, producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer, scalar

DEFAULT_EPSILON = 1e-5
"""ONNX's default for `epsilon`."""


class LayerNormReduce(OpRule):
    NAME = "layer-norm-reduce"
    FIDELITY = "rounding"
    EMITS = ("ReduceMean", "Sub", "ReduceSumSquare", "Add", "Sqrt", "Div", "Mul")
    OPS = ("LayerNormalization",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        for output in node.outputs[1:]:
            if output.uses() or output.is_graph_output():
                raise Refusal(f"{output.name} is used, only the first output can be rewritten")
        for axis in _axes(node):
            fixed_size(x, axis)
        for weight in node.inputs[1:]:
            if weight is not None:
                constant_array(weight)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        axes = _axes(node)
        n = math.prod(fixed_size(x, axis) for axis in axes)
        eps = node.attributes.get_float("epsilon", DEFAULT_EPSILON)
        mu = self.reduce(op, "ReduceMean", x, axes, keepdims=True, name=f"{y.name}.mean")
        d = op.Sub(x, mu, _outputs=[f"{y.name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, axes, keepdims=True, name=f"{y.name}.sum_square")
        shifted = op.Add(s, scalar(op, x, n * eps, f"{y.name}.epsilon"), _outputs=[f"{y.name}.shifted"])
        root = op.Sqrt(shifted, _outputs=[f"{y.name}.root"])
        gamma = initializer(op, constant_array(node.inputs[1]) * np.float32(math.sqrt(n)), f"{y.name}.gamma")
        scaled = op.Mul(op.Div(d, root, _outputs=[f"{y.name}.divided"]), gamma)
        if len(node.inputs) < 3 or node.inputs[2] is None:
            return scaled
        scaled.name = f"{y.name}.scaled"
        return op.Add(scaled, node.inputs[2])


def _axes(node: ir.Node) -> list[int]:
    first = axis_attribute(node, -1)
    return list(range(first, rank(node)))
