"""Gather by computed indices, which may be negative, as Gather by others in a value that is there twice.

    Gather(x, i)  =  Gather(Gather(x, (0 ... n - 1, 0 ... n - 1)), Abs(i + n))        -n <= i < n

`i + n` is never negative; `Abs` only says so.

- Supported: Gather of any opset, `x` of fixed size n along the axis, indices of fixed shape that are computed.
- Fidelity: exact.
- Needed by: ONNX.js 0.1.3 and 0.1.4, which read before the array for a negative index.
- Why not Add: ONNX.js on wasm adds no integers. Its ReduceSum takes them.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, fixed_shape, fixed_size, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, dtype_of, initializer
from fns_lab.rewrite.stacks import STACKING_OPS, reduce_stack


class GatherComputed(OpRule):
    NAME = "gather-computed"
    FIDELITY = "exact"
    WORKS_AROUND = ("unsafe-indices",)
    EMITS = (*STACKING_OPS, "Abs", "Gather", "ReduceSum")
    OPS = ("Gather",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        gather = producer(y)
        indices = node_input(gather, 1)
        dtype_of(indices)
        if 0 in (fixed_size(x, axis_attribute(gather, 0)), *fixed_shape(indices)):
            raise Refusal(f"{x.name} or {indices.name} has no elements")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        gather, name = producer(y), y.name
        indices, axis = node_input(gather, 1), axis_attribute(gather, 0)
        n = fixed_size(x, axis)
        counts = initializer(op, np.full(fixed_shape(indices), n, dtype_of(indices)), f"{name}.count")
        shifted = op.Abs(reduce_stack(self, op, "ReduceSum", [indices, counts], f"{name}.shifted"))
        shifted.name = f"{name}.indices"
        twice = initializer(op, np.tile(np.arange(n), 2), f"{name}.twice")
        return op.Gather(op.Gather(x, twice, axis=axis, _outputs=[f"{name}.doubled"]), shifted, axis=axis)
