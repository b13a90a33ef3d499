"""Pow with a constant exponent.

    x^2 = x x      x^3 = x x x      x^4 = (x x)(x x)      x^0.5 = Sqrt(x)      x^-p = 1 / x^p for these p and 1
    x^p = Exp(p Log(x))      where x cannot be negative, since it is the result of an activation

- Supported: Pow of any opset, `x` float32 of any shape, one constant number as exponent.
- Fidelity: rounding.
- Needed by: ONNX.js, which has no Pow on cpu and wasm and one that is undefined for negative x on webgl.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, scalar

PRODUCTS = {1.0: 1, 2.0: 2, 3.0: 3, 4.0: 4}
"""Number of factors by exponent."""
NEVER_NEGATIVE = ("Relu", "Abs", "Exp", "Sigmoid", "Sqrt", "Softmax", "ReduceSumSquare")
"""Ops whose results are not negative."""


class Power(OpRule):
    NAME = "power"
    FIDELITY = "rounding"
    EMITS = ("Mul", "Div", "Sqrt", "Exp", "Log")
    OPS = ("Pow",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        p = constant_array(producer(y).inputs[1])
        if p.size != 1 or (x.shape is not None and p.ndim > len(x.shape)):
            raise Refusal(f"the exponent is an array {p.shape}, one number is needed")
        if abs(p.item()) in (*PRODUCTS, 0.5):
            return
        base = x.producer()
        if base is None or base.op_type not in NEVER_NEGATIVE or p.item() <= 0:
            raise Refusal(f"the exponent is {p.item():g}, and {x.name} may be negative or 0")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        p = float(constant_array(producer(y).inputs[1]).item())
        if abs(p) in PRODUCTS:
            power = _product(op, x, PRODUCTS[abs(p)])
        elif abs(p) == 0.5:
            power = op.Sqrt(x)
        else:
            log = op.Log(x, _outputs=[f"{y.name}.log"])
            return op.Exp(op.Mul(log, scalar(op, x, p, f"{y.name}.p"), _outputs=[f"{y.name}.exponent"]))
        if p > 0:
            return power if power is not x else op.Identity(x)
        return op.Div(scalar(op, x, 1.0, f"{y.name}.one"), power)


def _product(op: RewriterContext, x: ir.Value, factors: int) -> ir.Value:
    if factors == 1:
        return x
    square = op.Mul(x, x)
    return square if factors == 2 else op.Mul(square, x if factors == 3 else square)
