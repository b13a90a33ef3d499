"""Gather by indices that count from the front, in an array of at least one axis.

    Gather(x, [-1])  =  Gather(x, [n - 1])        Gather(x, 2)  =  Reshape(Gather(x, [2]))  without that axis

Constant indices; n fixed where one is negative, all sizes where the index is a number. Gather 1, 11 and 13. Fidelity:
exact. ONNX.js 0.1.3 and 0.1.4 read before the array for a negative index, its webgl fails on a number.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, fixed_size, rank
from fns_lab.rewrite.rule import OpRule, initializer


class GatherPlain(OpRule):
    NAME = "gather-plain"
    FIDELITY = "exact"
    WORKS_AROUND = ("negative-indices", "scalar-indices")
    EMITS = ("Gather", "Reshape")
    OPS = ("Gather",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        indices = constant_array(y.producer().inputs[1])
        fixed_size(x, self._axis(y))
        if not indices.ndim:
            fixed_shape(x)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        axis, indices = self._axis(y), constant_array(y.producer().inputs[1])
        plain = np.atleast_1d(indices % fixed_size(x, axis))
        picked = op.Gather(x, initializer(op, plain, f"{y.name}.indices"), axis=axis)
        if indices.ndim:
            return picked
        picked.name = f"{y.name}.picked"
        shape = fixed_shape(x)
        return self.reshape(op, picked, shape[:axis] + shape[axis + 1 :], y.name)

    def _axis(self, y: ir.Value) -> int:
        return y.producer().attributes.get_int("axis", 0) % rank(y.producer())
