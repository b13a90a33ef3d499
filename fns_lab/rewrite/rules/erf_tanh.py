"""Erf as Tanh of a polynomial.

    erf(x)  =  tanh(z P(z^2)),   z = Clip(x, -4, 4),   P(u) = c0 + c1 u + ... + c6 u^6

Erf is no finite sum of elementary functions, so every engine computes a polynomial. P was fitted to
atanh(erf(x)) / x on [0, 4] by Lawson's weighted least squares, with c0 fixed at its exact value 2 / sqrt(pi). In
float32 it is within 1.9e-7 of erf, relatively within 2.8e-7; at 4 both are 1.

- Supported: Erf of any opset, any shape.
- Fidelity: rounding.
- Needed by: small runtimes, none of which has Erf while all have Tanh; GELU uses it.
- Why not Abramowitz and Stegun 7.1.26: it is as close to erf, but relatively not near 0, and needs an Exp and a Div.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule, RewriterContext, scalar

COEFFICIENTS = (
    1.12837917,
    0.102770021,
    -1.93909573e-4,
    -6.18101212e-4,
    8.70446558e-5,
    -5.57783424e-6,
    1.36985973e-7,
)
"""Coefficients of P, the constant term first."""
SATURATED = 4.0
"""From here on erf is 1 in float32."""


class ErfTanh(OpRule):
    NAME = "erf-tanh"
    FIDELITY = "rounding"
    EMITS = ("Mul", "Add", "Tanh")  # and a Clip, which a later rule rewrites if the target has none
    OPS = ("Erf",)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        z = self.clip(op, x, -SATURATED, SATURATED, f"{y.name}.clipped")
        u = op.Mul(z, z, _outputs=[f"{y.name}.square"])
        c = [scalar(op, x, value, f"{y.name}.c{i}") for i, value in enumerate(COEFFICIENTS)]
        p = c[-1]
        for i in reversed(range(len(c) - 1)):
            product = op.Mul(u, p, _outputs=[f"{y.name}.product{i}"])
            p = op.Add(product, c[i], _outputs=[f"{y.name}.sum{i}"])
        return op.Tanh(op.Mul(z, p, _outputs=[f"{y.name}.argument"]))
