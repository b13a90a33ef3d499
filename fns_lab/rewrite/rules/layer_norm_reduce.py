"""LayerNormalization in eight basic ops.

    y = gamma * (x - mu) / sqrt(var + eps) + beta,   mu, var over the axes from `axis` on, n elements

With S = sum((x - mu)^2) = n var:

    mu = ReduceMean(x)   d = x - mu   S = ReduceSumSquare(d)   y = d / Sqrt(S + n eps) * (gamma sqrt(n)) + beta

x, d, y: `(..., D)`; mu, S: `(..., 1)`. The other outputs are mu and 1 / sqrt(var + eps) = sqrt(n) / Sqrt(S + n eps).

- Supported: LayerNormalization 17, any rank, fixed sizes along the reduced axes.
- Fidelity: rounding (two passes).
- Needed by: targets without LayerNormalization.
- Why not ONNX's function body: it subtracts E[x]^2 from E[x^2], which loses the variance of values far from 0, and has
  20 nodes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, fixed_size, has_input, node_input, producer, rank
from fns_lab.rewrite.rule import RewriterContext, initializer, scalar
from fns_lab.rewrite.several_outputs import SeveralOutputsRule

DEFAULT_EPSILON = 1e-5
"""ONNX's default for `epsilon`."""


class LayerNormReduce(SeveralOutputsRule):
    NAME = "layer-norm-reduce"
    FIDELITY = "rounding"
    EMITS = ("ReduceMean", "Sub", "ReduceSumSquare", "Add", "Sqrt", "Div", "Mul")
    OPS = ("LayerNormalization",)

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        for axis in _axes(producer(y0)):
            fixed_size(x, axis)

    def rewrite(self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value) -> Sequence[ir.Value]:
        node, name = producer(y0), str(y0.name)
        axes = _axes(node)
        n = math.prod(fixed_size(x, axis) for axis in axes)
        eps = node.attributes.get_float("epsilon", DEFAULT_EPSILON)
        mu = self.reduce(op, "ReduceMean", x, axes, keepdims=True, name=f"{name}.mean")
        d = op.Sub(x, mu, _outputs=[f"{name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, axes, keepdims=True, name=f"{name}.sum_square")
        shifted = op.Add(s, scalar(op, x, n * eps, f"{name}.epsilon"), _outputs=[f"{name}.shifted"])
        root = op.Sqrt(shifted, _outputs=[f"{name}.root"])
        root_n = scalar(op, x, math.sqrt(n), f"{name}.root_n")
        scaled = op.Mul(op.Div(d, root, _outputs=[f"{name}.divided"]), _gamma(op, node, root_n))
        if has_input(node, 2):
            scaled.name = f"{name}.scaled"
            scaled = op.Add(scaled, node.inputs[2])
        deviation = [op.Div(root_n, root)] if len(node.outputs) > 2 else []
        return [scaled, *[mu, *deviation][: len(node.outputs) - 1]]


def _gamma(op: RewriterContext, node: ir.Node, root_n: ir.Value) -> ir.Value:
    """Return gamma times sqrt(n), computed only if gamma is."""
    gamma, name = node_input(node, 1), f"{node.outputs[0].name}.gamma"
    constant, factor = (ir.convenience.get_const_tensor(value) for value in (gamma, root_n))
    if constant is None or factor is None:
        return op.Mul(gamma, root_n, _outputs=[name])
    return initializer(op, constant.numpy() * factor.numpy(), name)


def _axes(node: ir.Node) -> list[int]:
    first = axis_attribute(node, -1)
    return list(range(first, rank(node)))
