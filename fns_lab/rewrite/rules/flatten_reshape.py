"""Flatten as Reshape.

    Flatten(x, axis)  =  Reshape(x, (product of the sides before `axis`, -1))

Any rank; with axis 1, the usual one, any size: (0, -1) keeps the first side. Flatten of any opset. Fidelity: exact.
ONNX.js 0.1.3 has no Flatten on cpu and wasm.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, rank
from fns_lab.rewrite.rule import OpRule


class FlattenReshape(OpRule):
    NAME = "flatten-reshape"
    FIDELITY = "exact"
    EMITS = ("Reshape",)
    OPS = ("Flatten",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        _rows(y.producer())

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        return self.reshape(op, x, (_rows(y.producer()), -1), y.name)


def _rows(node: ir.Node) -> int:
    axis = node.attributes.get_int("axis", 1)
    axis = axis + rank(node) if axis < 0 else axis
    return 0 if axis == 1 else math.prod(fixed_size(node.inputs[0], a) for a in range(axis))
