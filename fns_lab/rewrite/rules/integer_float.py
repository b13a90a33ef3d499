"""ConvInteger and MatMulInteger in float32.

    ConvInteger(x, w, zx, zw)    =  Cast(Conv(Cast(x) - zx, w - zw))
    MatMulInteger(a, b, za, zb)  =  Cast(MatMul(Cast(a) - za, Cast(b) - zb))

- Supported: both ops, of integers of 4 to 16 bits; a constant kernel of ConvInteger; zero points may be computed if
  each is one number; no sum may reach 2^24, by the constant operand's values, or by the types without one.
- Fidelity: exact (float32 holds all products and sums).
- Needed by: targets without these ops; `cast-removed` removes the Casts.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, producer
from fns_lab.rewrite.integer_sums import Operand, require_exact_sums
from fns_lab.rewrite.quantization import QUANTIZED, to_integers
from fns_lab.rewrite.rule import OpRule, RewriterContext


class IntegerFloat(OpRule):
    NAME = "integer-float"
    FIDELITY = "exact"
    EMITS = ("Sub",)  # and a Conv or a MatMul, which later rules may rewrite, and Casts
    OPS = ("ConvInteger", "MatMulInteger")
    TYPES = QUANTIZED

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        if self.root == "ConvInteger":
            constant_array(node.inputs[1])
        require_exact_sums(node)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        floats = [Operand(node, i).centred(op, f"{y.name}.operand{i}") for i in (0, 1)]
        sums = op.op(self.root.removesuffix("Integer"), *floats, **node.attributes)
        sums.name = f"{y.name}.sums"
        return to_integers(op, sums, ir.DataType.INT32, f"{y.name}")
