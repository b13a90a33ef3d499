"""QuantizeLinear in float32: the numbers are those of the integer type, in a float32 value.

    QuantizeLinear(x, s, z)  =  Cast(Clip(Round(x / s) + z, low, high)),   Round(v) = (v + 12582912) - 12582912

`low` and `high` are the limits of the integer type. Float32 values between 2^23 and 2^24 are the integers, so that the
Add rounds, half to even as QuantizeLinear does. A target that has Round gets it.

- Supported: QuantizeLinear of any opset, float32 to integers of 4 to 16 bits; constant scale and zero point, one for
  all, one per index of an axis, or per block.
- Fidelity: exact (the same operations in float32 as ONNX Runtime's).
- Needed by: all versions of ONNX.js, which have no integers of 8 bits; `cast-removed` removes the Cast.
- Why not a product with 1 / s: it rounds otherwise, and ties move to the neighbour.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, node_input, producer
from fns_lab.rewrite.quantization import along, constant, integers, limits, saturated
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class QuantizeFloat(OpRule):
    NAME = "quantize-float"
    FIDELITY = "exact"
    EMITS = ("Div", "Add", "Sub")  # and a Clip and a Cast, which later rules rewrite if the target has none
    OPS = ("QuantizeLinear",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        limits(y.dtype)
        if (precision := producer(y).attributes.get_int("precision", 0)) not in (0, ir.DataType.FLOAT):
            raise Refusal(f"the division is in {ir.DataType(precision).name}, float32 is needed")
        if not (_scale(x, y) > 0).all():
            raise Refusal("a scale is not above 0")
        _zero_point(x, y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        scale = constant(op, x, _scale(x, y), f"{y.name}.scale")
        return saturated(self, op, op.Div(x, scale, _outputs=[f"{y.name}.scaled"]), _zero_point(x, y), y)


def _scale(x: ir.Value, y: ir.Value) -> np.ndarray:
    scale = node_input(producer(y), 1)
    if scale.dtype != ir.DataType.FLOAT:
        raise Refusal(f"{scale.name} is {scale.dtype}, float32 is needed")
    return along(constant_array(scale), producer(y), x)


def _zero_point(x: ir.Value, y: ir.Value) -> np.ndarray:
    node = producer(y)
    return along(integers(node.inputs[2] if len(node.inputs) > 2 else None), node, x)
