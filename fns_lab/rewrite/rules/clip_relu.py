"""Clip by two Relu.

    Clip(x, low, high)  =  high - Relu(high - low - Relu(x - low))

Any shape; without a lower or an upper limit half of it. Clip with constant limits, of any opset. Fidelity: rounding
inside the limits, exact at and beyond them. ONNX.js has no Clip before 0.1.5.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input
from fns_lab.rewrite.rule import OpRule, Refusal, scalar


class ClipRelu(OpRule):
    NAME = "clip-relu"
    FIDELITY = "rounding"
    EMITS = ("Relu", "Add", "Sub")
    OPS = ("Clip",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if x.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{x.name} is {x.dtype}, not float32")
        low, high = _limits(y.producer())
        if low is not None and high is not None and low > high:
            raise Refusal("its lower limit is above the upper one")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        low, high = _limits(y.producer())
        last = x
        if low is not None:
            last = op.Relu(self._less(op, last, low, f"{y.name}.above"), _outputs=[f"{y.name}.positive"])
            if high is None:
                return op.Add(last, scalar(op, x, low, f"{y.name}.low")) if low else op.Identity(last)
        if high is None:
            return op.Identity(x)
        room = op.Sub(scalar(op, x, high - (low or 0.0), f"{y.name}.range"), last, _outputs=[f"{y.name}.room"])
        kept = op.Relu(room, _outputs=[f"{y.name}.kept"])
        return op.Sub(scalar(op, x, high, f"{y.name}.high"), kept)

    def _less(self, op, x: ir.Value, number: float, name: str) -> ir.Value:
        return op.Sub(x, scalar(op, x, number, f"{name}.low"), _outputs=[name]) if number else x


def _limits(node: ir.Node) -> tuple[float | None, float | None]:
    """The two limits; None for one that is missing or no limit in float32. Raises `NodeError` if one is computed."""
    found = []
    for index, name in ((1, "min"), (2, "max")):
        value = constant_input(node, index)
        number = node.attributes.get_float(name, None) if value is None else float(value.item())
        found.append(None if number is None or abs(number) >= np.finfo(np.float32).max else number)
    return found[0], found[1]
