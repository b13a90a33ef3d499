"""Max and Min as a reduction over the stacked inputs, or as Relu or Clip if one input is a constant number.

    Max(a, b, ...) = ReduceMax(stack(a, b, ...))        Min(a, b, ...) = ReduceMin(stack(a, b, ...))
    Max(x, 0) = Relu(x)      Max(x, c) = Clip(x, c, largest)      Min(x, c) = Clip(x, -largest, c)

- Supported: Max and Min of any opset, any element type; inputs of one shape, or of fixed shapes that broadcast; a
  constant number beside a value of any shape if the target has Clip.
- Fidelity: exact; Clip makes the largest finite number of an infinity on the side that has no limit.
- Needed by: all versions of ONNX.js, which have neither.
- Why not a + Relu(b - a), which needs no shapes: b is lost beside a number that is far larger, and is NaN beside an
  infinity.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import name_of, node_inputs, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.stacks import STACKING_OPS, common_shape, reduce_stack

LARGEST = float(np.finfo(np.float32).max)


class MinMaxReduce(OpRule):
    NAME = "min-max-reduce"
    FIDELITY = "exact"
    EMITS = (*STACKING_OPS, "ReduceMax", "ReduceMin")
    TYPES = None
    OPS = ("Max", "Min")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        inputs = node_inputs(producer(y))
        if not self._has_short_form(inputs):
            common_shape(inputs)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        inputs = node_inputs(producer(y))
        if len(inputs) == 1:
            return op.Identity(x)
        if (limited := _limited(inputs)) is not None and self._has_short_form(inputs):
            value, number = limited
            if self._is_relu(number):
                return op.Relu(value)
            low, high = (number, LARGEST) if self.root == "Max" else (-LARGEST, number)
            return self.clip(op, value, low, high, name_of(y))
        return reduce_stack(self, op, f"Reduce{self.root}", inputs, name_of(y))

    def _has_short_form(self, inputs: Sequence[ir.Value]) -> bool:
        limited = _limited(inputs)
        if limited is None:
            return len(inputs) == 1
        return self._is_relu(limited[1]) or self.target.takes("Clip", self.target.opset)

    def _is_relu(self, number: float) -> bool:
        return self.root == "Max" and number == 0 and self.target.takes("Relu", self.target.opset)


def _limited(inputs: Sequence[ir.Value]) -> tuple[ir.Value, float] | None:
    """Return a float32 value and the constant number that limits it, None unless one of two inputs is such a number."""
    if len(inputs) != 2:
        return None
    for value, other in (inputs, inputs[::-1]):
        tensor = ir.convenience.get_const_tensor(other)
        if (
            tensor is not None
            and tensor.size == 1
            and value.dtype == ir.DataType.FLOAT
            and value.shape is not None
            and len(tensor.shape) <= len(value.shape)
            and np.isfinite(tensor.numpy()).all()
        ):
            return value, float(tensor.numpy().item())
    return None
