"""Max and Min by Relu, and limits that are constants by Clip.

    Max(x, c) = Clip(x, c, largest)      Min(x, c) = Clip(x, -largest, c)      c one constant number
    Max(a, b) = a + Relu(b - a)          Min(a, b) = a - Relu(a - b)           more inputs one after the other

Any shapes that broadcast. Max and Min of any opset. Fidelity: rounding (exact with Clip). ONNX.js has neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.rewrite.rule import OpRule, Refusal

LARGEST = float(np.finfo(np.float32).max)


class MinMaxRelu(OpRule):
    NAME = "min-max-relu"
    FIDELITY = "rounding"
    EMITS = ("Relu", "Add", "Sub")
    OPS = ("Max", "Min")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, not float32")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        inputs = list(y.producer().inputs)
        if (limit := _limit(inputs)) is not None and self.scope.target.takes("Clip", self.scope.target.opset):
            value, number = limit
            low, high = (number, LARGEST) if self.root == "Max" else (-LARGEST, number)
            return self.clip(op, value, low, high, y.name)
        last = inputs[0]
        for i, other in enumerate(inputs[1:]):
            pair = (other, last) if self.root == "Max" else (last, other)
            over = op.Relu(op.Sub(*pair, _outputs=[f"{y.name}.difference{i}"]), _outputs=[f"{y.name}.over{i}"])
            last = (op.Add if self.root == "Max" else op.Sub)(last, over)
        return last if len(inputs) > 1 else op.Identity(x)


def _limit(inputs: Sequence[ir.Value]) -> tuple[ir.Value, float] | None:
    """The computed one of two inputs and the number that limits it, if the other is one constant number."""
    if len(inputs) != 2:
        return None
    for value, other in (inputs, inputs[::-1]):
        tensor = ir.convenience.get_const_tensor(other)
        if (
            tensor is not None
            and tensor.size == 1
            and value.shape is not None
            and len(tensor.shape) <= len(value.shape)
        ):
            return value, float(tensor.numpy().item())
    return None
