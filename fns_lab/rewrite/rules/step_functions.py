"""Functions with steps, by a step that is 0 up to 0 and 1 above: step(d) = 1 - Relu(1 - Ceil(Relu(d))).

    Sign(x)              =  step(x) - step(-x)
    Round(x)             =  f + step(r - 1/2) + odd (1 - step(1/2 - r) - step(r - 1/2))     f = Floor(x), r = x - f,
                            odd = f - 2 Floor(f / 2), so that a half goes to the even number
    ThresholdedRelu(x)   =  x step(x - alpha)               Relu(x) for x if alpha is at least 0: right for -Inf too
    Shrink(x)            =  (x - bias) step(x - lambd) + (x + bias) step(-x - lambd)

A difference of two numbers is 0 only if they are equal, so that the steps stand where they should.

- Supported: these ops of any opset, float32 of any shape; Shrink with a lambd of at least 0.
- Fidelity: rounding for all finite inputs, where only a zero may lose its sign. Round and Shrink of an infinity are
  NaN, and so is ThresholdedRelu of -Inf with an alpha below 0; NaN stays NaN, also where ONNX's ThresholdedRelu gives
  0.
- Needed by: ONNX.js, which has none of them at opset 7.
- Why not a Where of a comparison, which needs ArgMax and fixed shapes.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import name_of, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, scalar


class StepFunctions(OpRule):
    NAME = "step-functions"
    FIDELITY = "rounding"
    EMITS = ("Add", "Ceil", "Floor", "Mul", "Neg", "Relu", "Sub")
    OPS = ("Round", "Shrink", "Sign", "ThresholdedRelu")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if producer(y).attributes.get_float("lambd", 0.5) < 0:
            raise Refusal("lambd is below 0")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        attributes, name = producer(y).attributes, name_of(y)
        if self.root == "Sign":
            return op.Sub(_step(op, x, x, f"{name}.above"), _step(op, x, op.Neg(x), f"{name}.below"))
        if self.root == "Round":
            return _round(op, x, name)
        if self.root == "ThresholdedRelu":
            alpha = attributes.get_float("alpha", 1.0)
            above = _step(op, x, op.Sub(x, scalar(op, x, alpha, f"{name}.alpha")), f"{name}.above")
            return op.Mul(x if alpha < 0 else op.Relu(x), above)
        lambd = scalar(op, x, attributes.get_float("lambd", 0.5), f"{name}.lambd")
        bias = scalar(op, x, attributes.get_float("bias", 0.0), f"{name}.bias")
        above = _step(op, x, op.Sub(x, lambd), f"{name}.above")
        below = _step(op, x, op.Sub(op.Neg(x), lambd), f"{name}.below")
        return op.Add(op.Mul(op.Sub(x, bias), above), op.Mul(op.Add(x, bias), below))


def _step(op: RewriterContext, x: ir.Value, d: ir.Value, name: str) -> ir.Value:
    """Return 1 where `d`, of the shape of `x`, is above 0, and 0 elsewhere."""
    one = scalar(op, x, 1.0, f"{name}.one")
    whole = op.Ceil(op.Relu(d, _outputs=[f"{name}.positive"]), _outputs=[f"{name}.whole"])
    return op.Sub(one, op.Relu(op.Sub(one, whole, _outputs=[f"{name}.rest"])), _outputs=[name])


def _round(op: RewriterContext, x: ir.Value, name: str) -> ir.Value:
    half, two = scalar(op, x, 0.5, f"{name}.half"), scalar(op, x, 2.0, f"{name}.two")
    floor = op.Floor(x, _outputs=[f"{name}.floor"])
    rest = op.Sub(x, floor, _outputs=[f"{name}.fraction"])
    up = _step(op, x, op.Sub(rest, half), f"{name}.up")
    down = _step(op, x, op.Sub(half, rest), f"{name}.down")
    odd = op.Sub(floor, op.Mul(op.Floor(op.Mul(floor, half)), two), _outputs=[f"{name}.odd"])
    tie = op.Sub(op.Sub(scalar(op, x, 1.0, f"{name}.one"), down), up, _outputs=[f"{name}.tie"])
    return op.Add(op.Add(floor, up), op.Mul(odd, tie))
