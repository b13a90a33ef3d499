"""Expand as Tile.

    Expand(x, shape)  =  Tile(Reshape(x, (1, ..., *x.shape)), shape / (1, ..., *x.shape))

Without the Reshape if the rank stays the same.

- Supported: Expand 8 and 13, `x` of fixed shape, a constant `shape`.
- Fidelity: exact.
- Needed by: all versions of ONNX.js, which have no Expand.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext, initializer


class ExpandTile(OpRule):
    NAME = "expand-tile"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Tile")
    OPS = ("Expand",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x), constant_array(producer(y).inputs[1])

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        old = fixed_shape(x)
        new = np.broadcast_shapes(old, tuple(constant_array(producer(y).inputs[1]).tolist()))
        full = (1,) * (len(new) - len(old)) + old
        if new == old:
            return op.Identity(x)
        if len(new) > len(old):
            x = self.reshape(op, x, full, f"{y.name}.reshaped")
        repeats = np.array([1 if n == o else n for n, o in zip(new, full, strict=True)], np.int64)
        return op.Tile(x, initializer(op, repeats, f"{y.name}.repeats"))
