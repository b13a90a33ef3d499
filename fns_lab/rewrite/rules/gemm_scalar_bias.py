"""Gemm whose C has no axes as Gemm with a C of one.

    Gemm(a, b, c)  =  Gemm(a, b, Reshape(c, (1,)))        c a scalar

- Supported: Gemm of any opset.
- Fidelity: exact.
- Needed by: all versions of ONNX.js and ONNX Runtime Web on webgl, which fail on a scalar C.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class GemmScalarBias(OpRule):
    NAME = "gemm-scalar-bias"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Gemm")
    OPS = ("Gemm",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        bias = node_input(producer(y), 2)
        if len(fixed_shape(bias)):
            raise Refusal(f"{bias.name} is no scalar")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        bias = self.reshape(op, node_input(node, 2), (1,), f"{y.name}.bias")
        return op.Gemm(*node.inputs[:2], bias, **node.attributes)
