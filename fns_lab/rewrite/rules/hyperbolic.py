"""Hyperbolic functions and their inverses by Exp, Log, Sqrt and Tanh, without overflow and precise near 0.

    Cosh(x)   =  e (e / 2) + Exp(-a) / 2                   a = |x|, e = Exp(a / 2): Cosh is finite where Exp(a) is not
    Sinh(x)   =  Tanh(x) Cosh(x)
    Atanh(x)  =  Log1p(2 a / (1 - a)) / 2   with the sign of x
    Acosh(x)  =  Log(x) + Log1p(Sqrt((x - 1) / x) Sqrt((x + 1) / x))
    Asinh(x)  =  Log1p(n + n n / (1 + Sqrt(1 + n n)))  +  Log(m) + Log((1 + Sqrt(1 + 1 / m / m)) / (1 + Sqrt(2)))
                 with the sign of x; n = Min(a, 1), m = Max(a, 1)

    Log1p(u)  =  u Log(w) / (w - 1)   with w = 1 + u;   u where w is 1

- Supported: these ops of any opset, float32 of any shape.
- Fidelity: rounding for all finite inputs; Acosh and Asinh of an infinity are NaN.
- Needed by: ONNX.js, which has none of them at opset 7.
- Why not (Exp(x) - Exp(-x)) / 2 and Log(x + Sqrt(x x + 1)): near 0 they lose all digits, and x x overflows.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import name_of, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext, scalar


class Hyperbolic(OpRule):
    NAME = "hyperbolic"
    FIDELITY = "rounding"
    EMITS = ("Abs", "Add", "Ceil", "Div", "Exp", "Log", "Mul", "Neg", "Relu", "Sqrt", "Sub", "Tanh")  # and a Sign
    OPS = ("Acosh", "Asinh", "Atanh", "Cosh", "Sinh")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        name = name_of(producer(y).outputs[0])

        def number(value: float) -> ir.Value:
            return scalar(op, x, value, f"{name}.number")

        if self.root == "Acosh":
            below = op.Sqrt(op.Div(op.Sub(x, number(1)), x))
            above = op.Sqrt(op.Div(op.Add(x, number(1)), x))
            return op.Add(op.Log(x), _log1p(op, x, op.Mul(below, above), name))
        a = op.Abs(x, _outputs=[f"{name}.abs"])
        if self.root == "Atanh":
            u = op.Div(op.Mul(a, number(2)), op.Sub(number(1), a), _outputs=[f"{name}.ratio"])
            return op.Mul(op.Sign(x), op.Mul(_log1p(op, x, u, name), number(0.5)))
        if self.root == "Asinh":
            return op.Mul(op.Sign(x), _asinh(op, x, a, name))
        e = op.Exp(op.Mul(a, number(0.5)), _outputs=[f"{name}.root"])
        half = op.Mul(op.Exp(op.Neg(a)), number(0.5))
        cosh = op.Add(op.Mul(e, op.Mul(e, number(0.5))), half, _outputs=[f"{name}.cosh"])
        return op.Mul(op.Tanh(x), cosh) if self.root == "Sinh" else op.Identity(cosh)


def _asinh(op: RewriterContext, x: ir.Value, a: ir.Value, name: str) -> ir.Value:
    """Return the inverse hyperbolic sine of a number that is not negative."""
    one = scalar(op, x, 1.0, f"{name}.one")
    over = op.Relu(op.Sub(a, one), _outputs=[f"{name}.over"])
    m = op.Add(one, over, _outputs=[f"{name}.at_least_1"])
    inverse = op.Div(one, m, _outputs=[f"{name}.inverse"])
    root = op.Add(one, op.Sqrt(op.Add(one, op.Mul(inverse, inverse))))
    large = op.Add(op.Log(m), op.Log(op.Mul(root, scalar(op, x, 1 / (1 + math.sqrt(2)), f"{name}.at_1"))))
    n = op.Mul(a, op.Div(one, m), _outputs=[f"{name}.at_most_1"])  # 1 where a is more
    square = op.Mul(n, n, _outputs=[f"{name}.square"])
    part = op.Div(square, op.Add(one, op.Sqrt(op.Add(one, square))))
    return op.Add(_log1p(op, x, op.Add(n, part), name), large)


def _log1p(op: RewriterContext, x: ir.Value, u: ir.Value, name: str) -> ir.Value:
    """Return Log(1 + u), precise for a small `u`; `u` has the shape of `x` and is not negative."""
    one = scalar(op, x, 1.0, f"{name}.one")
    w = op.Add(one, u, _outputs=[f"{name}.w"])
    d = op.Sub(w, one, _outputs=[f"{name}.w_less_1"])
    at_1 = op.Relu(op.Sub(one, op.Ceil(d)), _outputs=[f"{name}.w_is_1"])
    return op.Mul(u, op.Div(op.Add(op.Log(w), at_1), op.Add(d, at_1)))
