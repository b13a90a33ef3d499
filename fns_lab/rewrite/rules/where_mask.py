"""Where with a constant condition as a mask.

    Where(c, a, b)  =  a * C + b * (1 - C),   C = 1 where c holds, else 0

A constant side is masked beforehand, so that it may hold infinities: what is left is one Mul, and one Add unless that
side is all zeros. Any shapes that broadcast. Where 9 and 16. Fidelity: exact for finite values. ONNX.js has neither
Where nor a way from booleans to numbers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule, Refusal, const, constant


class WhereMask(OpRule):
    NAME = "where-mask"
    FIDELITY = "exact"
    EMITS = ("Mul", "Add")
    OPS = ("Where",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        const(x)
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, a mask is made for float32 only")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        _, a, b = y.producer().inputs
        holds = const(x).astype(bool)
        masked = [
            self._masked(op, value, mask, f"{y.name}.{name}")
            for value, mask, name in ((a, holds, "true"), (b, ~holds, "false"))
        ]
        given = [value for value in masked if value is not None]
        return op.Add(*given) if len(given) == 2 else op.Identity(given[0])

    def _masked(self, op, value: ir.Value, mask: np.ndarray, name: str) -> ir.Value | None:
        """`value` where `mask` holds, else 0; None for a constant that is 0 all over."""
        if (tensor := ir.convenience.get_const_tensor(value)) is None:
            return op.Mul(value, constant(op, mask.astype(np.float32), f"{name}.mask"), _outputs=[f"{name}.masked"])
        array = np.where(mask, tensor.numpy(), np.float32(0))
        return constant(op, array, f"{name}.masked") if array.any() else None
