"""DequantizeLinear in float32.

    DequantizeLinear(x, s, z)  =  (Cast(x) - z) s

A constant x becomes the float32 weights.

- Supported: DequantizeLinear of any opset from integers of 4 to 16 bits, or a constant of 32, to float32; constant
  scale and zero point, one for all, one per index of an axis, or per block.
- Fidelity: exact.
- Needed by: all versions of ONNX.js, which have no integers of 8 bits; `cast-removed` removes the Cast.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, node_input, producer
from fns_lab.rewrite.quantization import F32, QUANTIZED, along, centred, constant, integers
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class DequantizeFloat(OpRule):
    NAME = "dequantize-float"
    FIDELITY = "exact"
    EMITS = ("Sub", "Mul")  # and a Cast, which a later rule removes if the target has none
    OPS = ("DequantizeLinear",)
    TYPES = QUANTIZED | {ir.DataType.INT32}

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if x.dtype == ir.DataType.INT32:
            constant_array(x)
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, float32 is needed")
        _scale(x, y), _zero_point(x, y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        scale, zero_point = _scale(x, y), _zero_point(x, y)
        if (tensor := ir.convenience.get_const_tensor(x)) is not None:
            weights = (tensor.numpy().astype(np.int64) - zero_point).astype(F32) * scale
            return op.Identity(initializer(op, weights, f"{y.name}.weights"))
        numbers = centred(op, x, zero_point, f"{y.name}.centred")
        return op.Mul(numbers, constant(op, x, scale, f"{y.name}.scale"))


def _scale(x: ir.Value, y: ir.Value) -> np.ndarray:
    return along(constant_array(node_input(producer(y), 1)).astype(F32), producer(y), x)


def _zero_point(x: ir.Value, y: ir.Value) -> np.ndarray:
    node = producer(y)
    return along(integers(node.inputs[2] if len(node.inputs) > 2 else None), node, x)
