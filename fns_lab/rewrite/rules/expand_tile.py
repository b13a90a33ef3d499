"""Expand to a known size as Tile.

    Expand(x, shape)  =  Tile(Reshape(x, (1, ..., x's sides)), shape / x's sides)

Any fixed size; the Reshape only where the rank grows. Expand 8 and 13. Fidelity: exact. No version of ONNX.js has
Expand.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import OpRule, initializer


class ExpandTile(OpRule):
    NAME = "expand-tile"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Tile")
    OPS = ("Expand",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x), constant_array(y.producer().inputs[1])

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        old = fixed_shape(x)
        new = np.broadcast_shapes(old, tuple(constant_array(y.producer().inputs[1]).tolist()))
        full = (1,) * (len(new) - len(old)) + old
        if len(new) > len(old):
            x = self.reshape(op, x, full, f"{y.name}.reshaped")
        repeats = np.array([n // o for n, o in zip(new, full, strict=True)], np.int64)
        return op.Tile(x, initializer(op, repeats, f"{y.name}.repeats"))
