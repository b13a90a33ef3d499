"""Pow by a constant number.

    x^2 = x x      x^3 = x x x      x^4 = (x x)(x x)      x^0.5 = Sqrt(x)      x^-p = 1 / x^p for these p and 1
    x^p = Exp(p Log(x))      where x cannot be negative, since an activation made it

Any shape. Pow of any opset. Fidelity: rounding. ONNX.js has no Pow on cpu and wasm, and that of webgl is undefined for
negative x.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import constant_array
from fns_lab.rewrite.rule import OpRule, Refusal, scalar

PRODUCTS = {1.0: 1, 2.0: 2, 3.0: 3, 4.0: 4}
NEVER_NEGATIVE = ("Relu", "Abs", "Exp", "Sigmoid", "Sqrt", "Softmax", "ReduceSumSquare")


class Power(OpRule):
    NAME = "power"
    FIDELITY = "rounding"
    EMITS = ("Mul", "Div", "Sqrt", "Exp", "Log")
    OPS = ("Pow",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        p = constant_array(y.producer().inputs[1])
        if p.size != 1 or x.dtype != ir.DataType.FLOAT or (x.shape is not None and p.ndim > len(x.shape)):
            raise Refusal("the exponent is not one number, or the base not float32")
        if abs(p.item()) in (*PRODUCTS, 0.5):
            return
        producer = x.producer()
        if producer is None or producer.op_type not in NEVER_NEGATIVE or p.item() <= 0:
            raise Refusal(f"the power {p.item():g} of a value that may be negative or 0")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        p = float(constant_array(y.producer().inputs[1]).item())
        if abs(p) in PRODUCTS:
            power = self._product(op, x, PRODUCTS[abs(p)], y.name)
        elif abs(p) == 0.5:
            power = op.Sqrt(x)
        else:
            log = op.Log(x, _outputs=[f"{y.name}.log"])
            return op.Exp(op.Mul(log, scalar(op, x, p, f"{y.name}.p"), _outputs=[f"{y.name}.exponent"]))
        if p > 0:
            return power if power is not x else op.Identity(x)
        return op.Div(scalar(op, x, 1.0, f"{y.name}.one"), power)

    def _product(self, op, x: ir.Value, times: int, name: str) -> ir.Value:
        if times == 1:
            return x
        square = op.Mul(x, x)
        return square if times == 2 else op.Mul(square, x if times == 3 else square)
