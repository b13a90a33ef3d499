"""Softmax before opset 13 as a Softmax of a matrix.

    Softmax(x, axis)  =  Reshape(Softmax(Reshape(x, [rows, columns]), axis=1), shape of x)

A row holds all elements from `axis` on, along which such a Softmax runs.

- Supported: Softmax before opset 13, any fixed shape with elements.
- Fidelity: exact.
- Needed by: ONNX Runtime Web webgpu, which reads 2 or 4 elements at a time even where the last axis has fewer.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, fixed_shape, producer
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class SoftmaxFlatten(OpRule):
    NAME = "softmax-flatten"
    FIDELITY = "exact"
    WORKS_AROUND = ("flattened-unevenly",)
    EMITS = ("Reshape", "Softmax")
    OPS = ("Softmax",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if self.opset >= ONE_AXIS_SINCE:
            raise Refusal(f"from opset {ONE_AXIS_SINCE} on a Softmax runs along one axis")
        fixed_shape(x)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        shape, axis = fixed_shape(x), axis_attribute(producer(y), 1)
        rows, columns = math.prod(shape[:axis]), math.prod(shape[axis:])
        flat = self.reshape(op, x, [rows, columns], f"{y.name}.flat")
        return self.reshape(op, op.Softmax(flat, axis=1, _outputs=[f"{y.name}.rows"]), shape, f"{y.name}.whole")
