"""The sum of two values of one shape as Sum rather than Add.

    Add(a, b)  =  Sum(a, b)    where a and b have the same shape

Any shape, any opset. Fidelity: exact. ONNX.js on cpu looks the index of every value up for an Add, which may broadcast
(1,400 ns a value), and not for a Sum, which may not.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape
from fns_lab.rewrite.rule import Refusal, Rule
from fns_lab.targets import Target


class AddSum(Rule):
    NAME = "add-sum"
    FIDELITY = "exact"
    ADDS_SUPPORT = False
    EMITS = ("Sum",)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Add",)

    def pattern(self, op, a, b):
        return op.Add(a, b, _outputs=["y"])

    def guard(self, a: ir.Value, b: ir.Value, y: ir.Value) -> None:
        if fixed_shape(a) != fixed_shape(b):
            raise Refusal(f"{a.name} and {b.name} have different shapes")
        if a.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{a.name} is {a.dtype}; older opsets sum floats only")

    def rewrite(self, op, a: ir.Value, b: ir.Value, y: ir.Value) -> ir.Value:
        return op.Sum(a, b)
