"""Erf, which no small runtime has, through the one saturating function that all of them have.

    erf(x)  =  tanh(z P(z^2)),   z = Clip(x, -4, 4),   P(u) = c0 + c1 u + ... + c6 u^6

Any shape, any opset with Erf. Fidelity: rounding. Erf is no finite sum of elementary functions, so that every engine
computes a polynomial; this one was fitted to atanh(erf(x)) / x on [0, 4] (Lawson's weighted least squares, c0 held at
its exact value 2 / sqrt(pi)) and is within 1.9e-7 of erf, relatively within 2.8e-7, all in float32. At 4 both are 1 in
float32. The usual textbook form (Abramowitz and Stegun 7.1.26) is as near to erf, but not relatively so near 0, and
takes the exponential of a square and a division as well. GELU is the one user that matters here.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule, scalar

COEFFICIENTS = (
    1.12837917,
    0.102770021,
    -1.93909573e-4,
    -6.18101212e-4,
    8.70446558e-5,
    -5.57783424e-6,
    1.36985973e-7,
)
"""Of P, constant term first."""
SATURATED = 4.0


class ErfTanh(OpRule):
    NAME = "erf-tanh"
    FIDELITY = "rounding"
    EMITS = ("Mul", "Add", "Tanh")  # and a Clip, which a later rule takes where it is missing
    OPS = ("Erf",)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        z = self.clip(op, x, -SATURATED, SATURATED, f"{y.name}.clipped")
        u = op.Mul(z, z, _outputs=[f"{y.name}.square"])
        c = [scalar(op, x, value, f"{y.name}.c{i}") for i, value in enumerate(COEFFICIENTS)]
        p = c[-1]
        for i in reversed(range(len(c) - 1)):
            product = op.Mul(u, p, _outputs=[f"{y.name}.product{i}"])
            p = op.Add(product, c[i], _outputs=[f"{y.name}.sum{i}"])
        return op.Tanh(op.Mul(z, p, _outputs=[f"{y.name}.argument"]))
