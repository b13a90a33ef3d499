"""GatherND with constant indices as one Gather along the axes that it indexes, joined to one.

    GatherND(x, indices)  =  Reshape(Gather(Reshape(x, (d0 d1 ..., *rest)), flat, axis=0), (*indices.shape[:-1], *rest))

x `(d0, d1, ..., *rest)`, indices `(..., k)` over the first k axes, flat = d1 ... dk i0 + ... + ik.

- Supported: GatherND 11 to 13 with batch_dims 0, fixed shapes, constant indices.
- Fidelity: exact.
- Needed by: all versions of ONNX.js, which have no GatherND; PyTorch exports adaptive pooling to a larger size as one.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, name_of, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class GatherNDGather(OpRule):
    NAME = "gather-nd-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Gather")
    OPS = ("GatherND",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        fixed_shape(x), constant_array(node.inputs[1])
        if batch_dims := node.attributes.get_int("batch_dims", 0):
            raise Refusal(f"batch_dims is {batch_dims}, 0 is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        shape, indices = fixed_shape(x), constant_array(producer(y).inputs[1])
        k = indices.shape[-1]
        flat = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0)), shape[:k], mode="wrap")
        joined = self.reshape(op, x, (int(np.prod(shape[:k])), *shape[k:]), f"{y.name}.joined")
        picked = op.Gather(joined, initializer(op, flat.reshape(-1), f"{y.name}.flat"), axis=0)
        picked.name = f"{y.name}.picked"
        return self.reshape(op, picked, (*indices.shape[:-1], *shape[k:]), name_of(y))
