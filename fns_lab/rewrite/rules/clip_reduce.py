"""Clip as a reduction over the value and its limits, stacked.

    Clip(x, low, high)  =  ReduceMin(stack(ReduceMax(stack(x, low)), high))

- Supported: Clip of any opset, float32, constant or computed limits in any order, `x` of fixed shape.
- Fidelity: exact.
- Needed by: ONNX.js before 0.1.5, which has no Clip; all versions of it for computed limits.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, name_of, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.stacks import STACKING_OPS, number_like, reduce_stack

F32 = np.finfo(np.float32)
DEFAULTS = {"min": float(F32.min), "max": float(F32.max)}
"""Limits of before opset 11 where an attribute is left out."""


class ClipReduce(OpRule):
    NAME = "clip-reduce"
    FIDELITY = "exact"
    EMITS = (*STACKING_OPS, "ReduceMax", "ReduceMin")
    OPS = ("Clip",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, value = producer(y), x
        for index, (attribute, kind) in enumerate((("min", "ReduceMax"), ("max", "ReduceMin")), start=1):
            limit = node.inputs[index] if index < len(node.inputs) else None
            if self.opset < 11:
                number = node.attributes.get_float(attribute, DEFAULTS[attribute])
                limit = number_like(op, x, number, f"{y.name}.{attribute}")
            if limit is not None:
                value = reduce_stack(self, op, kind, [value, limit], f"{y.name}.over_{attribute}")
        if value is x:
            return op.Identity(x)
        value.name = name_of(y)
        return value
