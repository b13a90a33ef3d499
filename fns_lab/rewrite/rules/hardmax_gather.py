"""Hardmax as the row of a unit matrix that the index of the largest element chooses.

    Hardmax(x, axis)  =  Transpose(Gather(unit matrix, ArgMax(x, axis)))      the last axis moves to `axis`

- Supported: Hardmax of any opset, `x` of fixed shape with elements, at most `LARGEST_SIZE` of them along `axis`. Before
  opset 13 it runs over all axes from `axis` on, which a Reshape makes one.
- Fidelity: exact for numbers.
- Needed by: ONNX.js on cpu and wasm, which has no Hardmax.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, fixed_shape, name_of, producer
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

LARGEST_SIZE = 4096
"""Largest number of elements that are compared; the unit matrix has its square."""


class HardmaxGather(OpRule):
    NAME = "hardmax-gather"
    FIDELITY = "exact"
    EMITS = ("ArgMax", "Gather", "Reshape", "Transpose")
    OPS = ("Hardmax",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if 0 in fixed_shape(x):
            raise Refusal(f"{x.name} has no elements")
        if (size := self._matrix_shape(x, producer(y))[1]) > LARGEST_SIZE:
            raise Refusal(f"it compares {size} elements, more than {LARGEST_SIZE}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, shape, name = producer(y), fixed_shape(x), name_of(y)
        sizes = self._matrix_shape(x, node)
        if self.opset >= ONE_AXIS_SINCE:
            return self._along(op, x, sizes[1], self._axis(node), len(shape), name)
        flat = self.reshape(op, x, sizes, f"{name}.flat")
        return self.reshape(op, self._along(op, flat, sizes[1], 1, 2, f"{name}.rows"), shape, name)

    def _axis(self, node: ir.Node) -> int:
        return axis_attribute(node, -1 if self.opset >= ONE_AXIS_SINCE else 1)

    def _matrix_shape(self, x: ir.Value, node: ir.Node) -> tuple[int, int]:
        """Return how many groups of elements are compared, and how many elements each has."""
        shape, axis = fixed_shape(x), self._axis(node)
        size = shape[axis] if self.opset >= ONE_AXIS_SINCE else math.prod(shape[axis:])
        return math.prod(shape) // size, size

    def _along(self, op: RewriterContext, x: ir.Value, size: int, axis: int, rank: int, name: str) -> ir.Value:
        index = op.ArgMax(x, axis=axis, keepdims=0, _outputs=[f"{name}.index"])
        unit = initializer(op, np.eye(size, dtype=np.float32), f"{name}.unit")
        if axis == rank - 1:
            return op.Gather(unit, index, axis=0, _outputs=[name])
        rows = op.Gather(unit, index, axis=0, _outputs=[f"{name}.last"])
        perm = [*range(axis), rank - 1, *range(axis, rank - 1)]
        return op.Transpose(rows, perm=perm, _outputs=[name])
