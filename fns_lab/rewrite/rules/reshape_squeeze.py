"""Reshape of whole numbers that moves axes of size 1 only, by Squeeze and Unsqueeze.

    Reshape(x (1, n, 1), (n, 1))  =  Unsqueeze(Squeeze(x, (0, 2)), (1))

- Supported: Reshape of any opset, integers of fixed shape, between shapes of at least one axis that are the same but
  for axes of size 1.
- Fidelity: exact.
- Needed by: ONNX.js on cpu and wasm, whose Reshape takes floats only.
- Why not other shapes: of the ops that take integers at opset 7 none joins two axes.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape
from fns_lab.rewrite.rule import INTEGERS, OpRule, Refusal, RewriterContext
from fns_lab.rewrite.stacks import squeeze, unsqueeze


class ReshapeSqueeze(OpRule):
    NAME = "reshape-squeeze"
    FIDELITY = "exact"
    EMITS = ("Squeeze", "Unsqueeze")
    OPS = ("Reshape",)
    TYPES = INTEGERS

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        old, new = fixed_shape(x), fixed_shape(y)
        if not old or not new:
            raise Refusal("one of the shapes has no axis")
        if [size for size in old if size != 1] != [size for size in new if size != 1]:
            raise Refusal(f"{x.name} is of whole numbers, and more than axes of size 1 change")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        value = x
        if removed := _ones(fixed_shape(x)):
            value = squeeze(self, op, x, removed, f"{y.name}.squeezed")
        added = _ones(fixed_shape(y))
        return unsqueeze(self, op, value, added, str(y.name)) if added else value


def _ones(shape: tuple[int, ...]) -> list[int]:
    """Return the axes of size 1, without the first of them if there are no others."""
    ones = [axis for axis, size in enumerate(shape) if size == 1]
    return ones[1:] if len(ones) == len(shape) else ones
