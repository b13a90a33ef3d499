"""MatMul with a vector as one of a matrix.

    a (K,), b (..., K, N)  ->  MatMul((1, K), b)  ->  Reshape to (..., N)
    a (..., M, K), b (K,)  ->  MatMul(a, (K, 1))  ->  Reshape to (..., M)
    a (K,), b (K,)         ->  ReduceSum(a b)     ->  ()

- Supported: MatMul of any opset, fixed shapes.
- Fidelity: rounding (two vectors may be summed in another order).
- Needed by: all versions of ONNX.js and ONNX Runtime Web on webgl, which fail on a vector or keep its axis.
- Why not (1, K) by (K, 1) for two vectors: these engines have no Reshape to no axes.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, name_of, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class MatMulVector(OpRule):
    NAME = "mat-mul-vector"
    FIDELITY = "rounding"
    EMITS = ("Reshape", "MatMul", "Mul", "ReduceSum")
    OPS = ("MatMul",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        a, b = (fixed_shape(node_input(producer(y), index)) for index in (0, 1))
        if len(a) > 1 and len(b) > 1:
            raise Refusal("no operand is a vector")
        if 0 in (*a, *b):
            raise Refusal("an operand has no elements")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        b = node_input(producer(y), 1)
        first, second = fixed_shape(x), fixed_shape(b)
        if len(first) == len(second) == 1:
            products = op.Mul(x, b, _outputs=[f"{y.name}.products"])
            return self.reduce(op, "ReduceSum", products, [0], keepdims=False, name=name_of(y))
        shape = (*second[:-2], second[-1]) if len(first) == 1 else first[:-1]
        row = self.reshape(op, x, (1, *first), f"{y.name}.row") if len(first) == 1 else x
        column = self.reshape(op, b, (*second, 1), f"{y.name}.column") if len(second) == 1 else b
        return self.reshape(op, op.MatMul(row, column, _outputs=[f"{y.name}.matrix"]), shape, name_of(y))
