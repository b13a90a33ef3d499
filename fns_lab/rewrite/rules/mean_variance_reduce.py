"""MeanVarianceNormalization in seven basic ops.

    y = d / (sqrt(S / n) + 1e-9),   c = x - ReduceMean(x),   d = c - ReduceMean(c),   S = ReduceSumSquare(d)

over `axes`, n elements. The mean of c is 0 but for what the engine rounded in the mean of x.

- Supported: MeanVarianceNormalization 9 and 13, fixed sizes along the reduced axes, none of them 0.
- Fidelity: rounding.
- Needed by: targets below opset 9, where the op does not exist.
- Why not ONNX's function body: it subtracts E[x]^2 from E[x^2]. Why not without c: the mean of a bright and flat image
  is off by more than the image varies, where an engine adds its pixels up one by one in float32.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, from_the_front, producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, scalar

EPSILON = 1e-9
"""What ONNX's function body adds to the deviation."""


class MeanVarianceReduce(OpRule):
    NAME = "mean-variance-reduce"
    FIDELITY = "rounding"
    EMITS = ("Add", "Div", "Mul", "ReduceMean", "ReduceSumSquare", "Sqrt", "Sub")
    OPS = ("MeanVarianceNormalization",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if any(fixed_size(x, axis) == 0 for axis in _axes(producer(y))):
            raise Refusal("the mean of no elements")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        axes, name = _axes(producer(y)), y.name
        share = 1 / math.sqrt(math.prod(fixed_size(x, axis) for axis in axes))
        mu = self.reduce(op, "ReduceMean", x, axes, keepdims=True, name=f"{name}.mean")
        c = op.Sub(x, mu, _outputs=[f"{name}.shifted"])
        rest = self.reduce(op, "ReduceMean", c, axes, keepdims=True, name=f"{name}.rest")
        d = op.Sub(c, rest, _outputs=[f"{name}.centred"])
        s = self.reduce(op, "ReduceSumSquare", d, axes, keepdims=True, name=f"{name}.sum_square")
        root = op.Sqrt(s, _outputs=[f"{name}.root"])
        deviation = op.Mul(root, scalar(op, x, share, f"{name}.share"), _outputs=[f"{name}.deviation"])
        return op.Div(d, op.Add(deviation, scalar(op, x, EPSILON, f"{name}.epsilon"), _outputs=[f"{name}.divisor"]))


def _axes(node: ir.Node) -> list[int]:
    return [from_the_front(axis, rank(node)) for axis in node.attributes.get_ints("axes", [0, 2, 3])]
