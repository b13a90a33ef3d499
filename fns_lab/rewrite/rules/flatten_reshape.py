"""Flatten as Reshape.

    Flatten(x, axis)  =  Reshape(x, (product of the dimensions before `axis`, -1))

- Supported: Flatten of any opset, any rank; dimensions before `axis` fixed. With axis 1 any shape: (0, -1) keeps the
  first dimension.
- Fidelity: exact.
- Needed by: ONNX.js 0.1.3 on cpu and wasm, which has no Flatten.
"""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, name_of, node_input, producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class FlattenReshape(OpRule):
    NAME = "flatten-reshape"
    FIDELITY = "exact"
    EMITS = ("Reshape",)
    OPS = ("Flatten",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        _rows(producer(y))
        if x.shape is not None and 0 in x.shape:
            raise Refusal(f"{x.name} has no elements, so that no size follows for -1")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        shape = np.array([_rows(producer(y)), -1])
        return op.Reshape(x, initializer(op, shape, f"{y.name}.shape"), _outputs=[name_of(y)])


def _rows(flatten: ir.Node) -> int:
    """Return the first dimension of the result, 0 for that of the input."""
    axis = flatten.attributes.get_int("axis", 1)
    axis = axis + rank(flatten) if axis < 0 else axis
    return 0 if axis == 1 else math.prod(fixed_size(node_input(flatten, 0), a) for a in range(axis))
