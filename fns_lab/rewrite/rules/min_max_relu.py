"""Max and Min as Relu, or as Clip if one input is a constant number.

    Max(x, c) = Clip(x, c, largest)      Min(x, c) = Clip(x, -largest, c)      c one constant number
    Max(a, b) = a + Relu(b - a)          Min(a, b) = a - Relu(a - b)           more inputs one after the other

- Supported: Max and Min of any opset, float32 of any shapes that broadcast.
- Fidelity: rounding (exact with Clip).
- Needed by: all versions of ONNX.js, which have neither.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import name_of, node_inputs, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext

LARGEST = float(np.finfo(np.float32).max)


class MinMaxRelu(OpRule):
    NAME = "min-max-relu"
    FIDELITY = "rounding"
    EMITS = ("Relu", "Add", "Sub")
    OPS = ("Max", "Min")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, float32 is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        inputs = node_inputs(producer(y))
        if (limit := _limit(inputs)) is not None and self.target.takes("Clip", self.target.opset):
            value, number = limit
            low, high = (number, LARGEST) if self.root == "Max" else (-LARGEST, number)
            return self.clip(op, value, low, high, name_of(y))
        result = inputs[0]
        for i, other in enumerate(inputs[1:]):
            pair = (other, result) if self.root == "Max" else (result, other)
            over = op.Relu(op.Sub(*pair, _outputs=[f"{y.name}.difference{i}"]), _outputs=[f"{y.name}.over{i}"])
            result = (op.Add if self.root == "Max" else op.Sub)(result, over)
        return result if len(inputs) > 1 else op.Identity(x)


def _limit(inputs: Sequence[ir.Value]) -> tuple[ir.Value, float] | None:
    """Return a value and the constant number that limits it, None unless one of two inputs is such a number."""
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
