"""Gather with a negative or scalar index as Gather with non-negative indices in an array of at least one axis.

    Gather(x, [-1])  =  Gather(x, [n - 1])        Gather(x, 2)  =  Reshape(Gather(x, [2]))  without that axis

- Supported: Gather 1, 11 and 13, constant indices; `x` of fixed size n along the axis, for a scalar index of fixed
  shape.
- Fidelity: exact.
- Needed by: ONNX.js 0.1.3 and 0.1.4, which read before the array for a negative index, and ONNX.js on webgl, which
  fails on a scalar index.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, constant_array, fixed_shape, fixed_size, name_of, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class GatherPlain(OpRule):
    NAME = "gather-plain"
    FIDELITY = "exact"
    WORKS_AROUND = ("negative-indices", "scalar-indices")
    EMITS = ("Gather", "Reshape")
    OPS = ("Gather",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        gather = producer(y)
        indices = constant_array(gather.inputs[1])
        if not fixed_size(x, _axis(gather)):
            raise Refusal(f"{x.name} has no elements")
        if not indices.ndim:
            fixed_shape(x)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        gather = producer(y)
        axis, indices = _axis(gather), constant_array(gather.inputs[1])
        plain = np.atleast_1d(indices % fixed_size(x, axis))
        picked = op.Gather(x, initializer(op, plain, f"{y.name}.indices"), axis=axis)
        if indices.ndim:
            return picked
        picked.name = f"{y.name}.picked"
        shape = fixed_shape(x)
        return self.reshape(op, picked, shape[:axis] + shape[axis + 1 :], name_of(y))


def _axis(gather: ir.Node) -> int:
    return axis_attribute(gather, 0)
