"""TopK as one ArgMax per element, which is then made so low that the next ArgMax leaves it out.

    i1 = ArgMax(x)      i2 = ArgMax(x + low(i1))      values = Concat(ReduceMax(x), ReduceMax(x + low(i1)), ...)

`low(i)` is the row i of a table that holds -Inf at i and -0 elsewhere. Of equal elements ArgMax takes the first one, as
TopK does. The smallest elements are the largest of -x.

- Supported: TopK of any opset, float32, a constant k of at most 64 and an axis of fixed size of at most 4096.
- Fidelity: rounding: exact for all finite numbers, while +Inf becomes NaN.
- Needed by: ONNX.js on cpu and wasm, which have no TopK.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, from_the_front, producer, required_constant
from fns_lab.rewrite.rule import Refusal, RewriterContext, initializer
from fns_lab.rewrite.several_outputs import SeveralOutputsRule
from fns_lab.rewrite.stacks import unsqueeze

MOST_CHOSEN = 64
"""Largest k: each element is five nodes."""
LARGEST_SIZE = 4096
"""Largest size of the axis; the table has its square in elements."""
INPUT_SINCE = 10
"""Opset from which k is an input."""


class TopKArgMax(SeveralOutputsRule):
    NAME = "top-k-arg-max"
    FIDELITY = "rounding"
    EMITS = ("Add", "ArgMax", "Concat", "Gather", "Neg", "ReduceMax", "Transpose", "Unsqueeze")
    OPS = ("TopK",)

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        size, k = fixed_shape(x)[self._axis(x, y0)], self._k(y0)
        if not 1 <= k <= min(MOST_CHOSEN, size):
            raise Refusal(f"k is {k} of {size} elements; 1 to {MOST_CHOSEN} are chosen")
        if size > LARGEST_SIZE:
            raise Refusal(f"the axis has {size} elements; {LARGEST_SIZE} is the largest size")

    def rewrite(self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value) -> Sequence[ir.Value]:
        axis, rank, name = self._axis(x, y0), len(fixed_shape(x)), str(y0.name or f"{x.name}.top")
        largest = bool(producer(y0).attributes.get_int("largest", 1))
        low = np.diag(np.full(fixed_shape(x)[axis], -np.inf, np.float32))
        low[~np.eye(len(low), dtype=bool)] = -0.0  # x + (-0) is x, also where x is -0
        table, k = initializer(op, low, f"{name}.low"), self._k(y0)
        left = x if largest else op.Neg(x, _outputs=[f"{name}.negated"])
        values, indices = [], []
        for i in range(k):
            values.append(self.reduce(op, "ReduceMax", left, [axis], keepdims=True, name=f"{name}.value{i}"))
            index = op.ArgMax(left, axis=axis, keepdims=0, _outputs=[f"{name}.index{i}"])
            indices.append(unsqueeze(self, op, index, [axis], f"{name}.place{i}"))
            if i + 1 < k:
                left = op.Add(left, self._row(op, table, index, axis, rank, f"{name}.row{i}"))
                left.name = f"{name}.left{i}"
        found = op.Concat(*values, axis=axis)
        results = [found if largest else op.Neg(found), op.Concat(*indices, axis=axis)]
        return results[: self.outputs]

    def _row(self, op: RewriterContext, table: ir.Value, index: ir.Value, axis: int, rank: int, name: str) -> ir.Value:
        """Return the rows of the table that an index chooses, with their elements along `axis`."""
        last = op.Gather(table, index, axis=0, _outputs=[f"{name}.last" if axis < rank - 1 else name])
        if axis == rank - 1:
            return last
        return op.Transpose(last, perm=[*range(axis), rank - 1, *range(axis, rank - 1)], _outputs=[name])

    def _axis(self, x: ir.Value, y: ir.Value) -> int:
        return from_the_front(producer(y).attributes.get_int("axis", -1), len(fixed_shape(x)))

    def _k(self, y: ir.Value) -> int:
        node = producer(y)
        if self.opset < INPUT_SINCE:
            return node.attributes.get_int("k", 0)
        return int(required_constant(node, 1).reshape(-1)[0])
