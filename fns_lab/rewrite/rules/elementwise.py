"""Activations and other elementwise ops in simpler ones.

    HardSigmoid(x) = Clip(alpha x + beta, 0, 1)
    Softplus(x)    = Relu(x) + Log(1 + Exp(-Abs(x)))             never the exponential of a large number
    Elu(x)         = Relu(x) + alpha (Exp(-Relu(-x)) - 1)
    Celu(x)        = Relu(x) + alpha (Exp(-Relu(-x) / alpha) - 1)
    Selu(x)        = gamma Elu(x; alpha)
    Softsign(x)    = x / (1 + Abs(x))
    Reciprocal(x)  = 1 / x
    Mean(a, b, c)  = (a + b + c) / 3

- Supported: these ops of any opset, any shape; Celu with an alpha that is not 0.
- Fidelity: rounding.
- Needed by: targets without one of these ops.
- Why not ONNX's function bodies of HardSigmoid, Elu, Selu and Softplus: they use Max, Min, Where or the exponential of
  a large number, and start at opset 18. That of Celu holds for an alpha above 0 only, and gives a scalar a dimension.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import onnx_ir as ir

from fns_lab.opset.nodes import name_of, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, scalar
from fns_lab.targets import Target


class Formula(NamedTuple):
    """How one op is written.

    - `emits`: op types of the new nodes
    - `write`: writes them for the rule, the context, the first input and the old node
    """

    emits: tuple[str, ...]
    write: Callable[[OpRule, RewriterContext, ir.Value, ir.Node], ir.Value]


def _hard_sigmoid(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name, attributes = name_of(node.outputs[0]), node.attributes
    alpha = scalar(op, x, attributes.get_float("alpha", 0.2), f"{name}.alpha")
    beta = scalar(op, x, attributes.get_float("beta", 0.5), f"{name}.beta")
    line = op.Add(op.Mul(x, alpha, _outputs=[f"{name}.scaled"]), beta, _outputs=[f"{name}.line"])
    return rule.clip(op, line, 0.0, 1.0, name, like=x)


def _softplus(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name = node.outputs[0].name
    negative = op.Neg(op.Abs(x, _outputs=[f"{name}.abs"]), _outputs=[f"{name}.negative"])
    one = scalar(op, x, 1.0, f"{name}.one")
    tail = op.Log(op.Add(op.Exp(negative, _outputs=[f"{name}.exp"]), one, _outputs=[f"{name}.sum"]))
    tail.name = f"{name}.tail"
    return op.Add(op.Relu(x, _outputs=[f"{name}.positive"]), tail)


def _elu(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name = node.outputs[0].name
    alpha = scalar(op, x, node.attributes.get_float("alpha", 1.0), f"{name}.alpha")
    negative = _negative_part(op, x, name)
    curve = op.Sub(op.Exp(negative, _outputs=[f"{name}.exp"]), scalar(op, x, 1.0, f"{name}.one"))
    curve.name = f"{name}.curve"
    return op.Add(op.Relu(x, _outputs=[f"{name}.positive"]), op.Mul(curve, alpha, _outputs=[f"{name}.scaled"]))


def _celu(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name = name_of(node.outputs[0])
    alpha = scalar(op, x, node.attributes.get_float("alpha", 1.0), f"{name}.alpha")
    ratio = op.Div(_negative_part(op, x, name), alpha, _outputs=[f"{name}.ratio"])
    curve = op.Sub(op.Exp(ratio, _outputs=[f"{name}.exp"]), scalar(op, x, 1.0, f"{name}.one"))
    curve.name = f"{name}.curve"
    return op.Add(op.Relu(x, _outputs=[f"{name}.positive"]), op.Mul(curve, alpha, _outputs=[f"{name}.scaled"]))


def _negative_part(op: RewriterContext, x: ir.Value, name: str | None) -> ir.Value:
    """Return the lesser of `x` and 0."""
    below = op.Relu(op.Neg(x, _outputs=[f"{name}.negated"]), _outputs=[f"{name}.below"])
    return op.Neg(below, _outputs=[f"{name}.negative"])


def _selu(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name, attributes = node.outputs[0].name, node.attributes
    elu = op.Elu(x, alpha=attributes.get_float("alpha", 1.6732632), _outputs=[f"{name}.elu"])
    return op.Mul(elu, scalar(op, x, attributes.get_float("gamma", 1.0507010), f"{name}.gamma"))


def _softsign(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name = node.outputs[0].name
    one = scalar(op, x, 1.0, f"{name}.one")
    return op.Div(x, op.Add(op.Abs(x, _outputs=[f"{name}.abs"]), one, _outputs=[f"{name}.divisor"]))


def _reciprocal(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    return op.Div(scalar(op, x, 1.0, f"{node.outputs[0].name}.one"), x)


def _mean(rule: OpRule, op: RewriterContext, x: ir.Value, node: ir.Node) -> ir.Value:
    name, total = node.outputs[0].name, x
    for i, other in enumerate(node.inputs[1:]):
        total = op.Add(total, other, _outputs=[f"{name}.sum{i}"])
    return op.Mul(total, scalar(op, x, 1 / len(node.inputs), f"{name}.share"))


FORMULAS = {
    "HardSigmoid": Formula(("Mul", "Add"), _hard_sigmoid),
    "Softplus": Formula(("Relu", "Abs", "Neg", "Exp", "Add", "Log"), _softplus),
    "Selu": Formula(("Mul",), _selu),
    "Elu": Formula(("Relu", "Neg", "Exp", "Sub", "Mul", "Add"), _elu),
    "Celu": Formula(("Relu", "Neg", "Div", "Exp", "Sub", "Mul", "Add"), _celu),
    "Softsign": Formula(("Abs", "Add", "Div"), _softsign),
    "Reciprocal": Formula(("Div",), _reciprocal),
    "Mean": Formula(("Add", "Mul"), _mean),
}
"""Formulas by op, in the order in which they are tried: Selu before the Elu that it writes. No formula lists
a Clip or Elu in `emits`, since a later formula or rule rewrites it if the target doesn't support it."""


class Elementwise(OpRule):
    NAME = "elementwise"
    FIDELITY = "rounding"
    EMITS = ()
    OPS = tuple(FORMULAS)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return tuple(
            root for root, formula in FORMULAS.items() if all(target.takes(op, target.opset) for op in formula.emits)
        )

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if self.root == "Celu" and producer(y).attributes.get_float("alpha", 1.0) == 0:
            raise Refusal("alpha is 0")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return FORMULAS[self.root].write(self, op, x, producer(y))
