"""QLinearConv and QLinearMatMul in float32.

    QLinearConv(x, w, b)   =  Cast(Clip(Round(Conv(Cast(x) - zx, w - zw, b) sx sw / sy) + zy, low, high))
    QLinearMatMul(a, b)    =  the same with MatMul(Cast(a) - za, Cast(b) - zb)

`Round` as in `quantize-float`.

- Supported: both ops, of integers of 4 to 16 bits; a constant kernel of QLinearConv; constant scales and zero points;
  no sum may reach 2^24, by the constant operand's values, or by the types without one.
- Fidelity: exact (float32 holds all sums, and the factor sx sw / sy is computed in float32 as in ONNX Runtime).
- Needed by: targets without these ops; `cast-removed` removes the Casts.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, node_input, producer, rank
from fns_lab.rewrite.integer_sums import Operand, require_exact_sums
from fns_lab.rewrite.quantization import F32, QUANTIZED, constant, integers, limits, saturated
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

CONSTANTS = {"QLinearConv": (1, 2, 3, 4, 5, 6, 7), "QLinearMatMul": (1, 2, 4, 5, 6, 7)}
"""Indices of the inputs that must be constant."""


class QLinearFloat(OpRule):
    NAME = "q-linear-float"
    FIDELITY = "exact"
    EMITS = ("Sub", "Mul", "Add")  # and a Conv, MatMul or Clip, which later rules may rewrite, and Casts
    OPS = ("QLinearConv", "QLinearMatMul")
    TYPES = QUANTIZED

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        limits(y.dtype), rank(node)
        for index in CONSTANTS[self.root]:
            constant_array(node_input(node, index))
        require_exact_sums(node, _bias(node))
        if constant_array(node.inputs[7]).size > 1:
            raise Refusal(f"{y.name} has several zero points")
        _factor(node)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, name = producer(y), y.name
        inputs = [Operand(node, i).centred(op, f"{name}.operand{i}") for i in (0, 1)]
        if (bias := _bias(node)) is not None:
            inputs.append(initializer(op, constant_array(bias).astype(F32), f"{name}.bias"))
        sums = op.op(self.root.removeprefix("QLinear"), *inputs, **node.attributes)
        sums.name = f"{name}.sums"
        factor = constant(op, y, _factor(node), f"{name}.factor")
        zero_point = integers(node.inputs[7]).reshape(())
        return saturated(self, op, op.Mul(sums, factor, _outputs=[f"{name}.scaled"]), zero_point, y)


def _bias(node: ir.Node) -> ir.Value | None:
    return node.inputs[8] if len(node.inputs) > 8 else None


def _factor(node: ir.Node) -> np.ndarray:
    """Return sx sw / sy so that it broadcasts with the result: one number, or one per channel, row or column."""
    x, w, y = (constant_array(node.inputs[index]) for index in (1, 4, 6))
    if any(scale.dtype != F32 for scale in (x, w, y)):
        raise Refusal("a scale is not float32")
    if y.size > 1:
        raise Refusal("the result has several scales")
    if node.op_type == "QLinearConv":
        by_row, by_column = x.reshape(()), w.reshape(1, -1, *[1] * (rank(node) - 2)) if w.size > 1 else w.reshape(())
    else:
        by_row, by_column = Operand(node, 0).by_operand(x), Operand(node, 1).by_operand(w)
    factor: np.ndarray = by_row * by_column / y.reshape(())
    return factor
