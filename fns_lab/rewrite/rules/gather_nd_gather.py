"""GatherND with constant indices as one Gather along the axes that it indexes, joined.

    GatherND(x, indices)  =  Reshape(Gather(Reshape(x, (d0 d1 ..., rest)), flat, axis=0), (indices' sides, rest))

x `(d0, d1, ..., rest)`, indices `(..., k)` over the first k axes, flat = d1 ... dk i0 + ... + ik. GatherND 11 to 13
with batch_dims 0. Fidelity: exact. No version of ONNX.js has GatherND; PyTorch's adaptive pooling to a larger size
exports to it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import OpRule, Refusal, initializer


class GatherNDGather(OpRule):
    NAME = "gather-nd-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Gather")
    OPS = ("GatherND",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x), constant_array(y.producer().inputs[1])
        if y.producer().attributes.get_int("batch_dims", 0):
            raise Refusal("it has batch axes")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        shape, indices = fixed_shape(x), constant_array(y.producer().inputs[1])
        k = indices.shape[-1]
        flat = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0)), shape[:k], mode="wrap")
        joined = self.reshape(op, x, (int(np.prod(shape[:k])), *shape[k:]), f"{y.name}.joined")
        picked = op.Gather(joined, initializer(op, flat.reshape(-1), f"{y.name}.flat"), axis=0)
        picked.name = f"{y.name}.picked"
        return self.reshape(op, picked, (*indices.shape[:-1], *shape[k:]), y.name)
