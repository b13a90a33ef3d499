"""Concat of many values as Concats of a few.

    Concat(a, b, c, d)  =  Concat(Concat(a, b), Concat(c, d))

Of N values each group has about the square root of N, so that no node reads many.

- Supported: Concat of four values or more, any opset, type and shape.
- Fidelity: exact.
- Needed by: engines on WebGL, where a program reads each value from a texture and has 16 of them.
"""

from __future__ import annotations

import math

import onnx_ir as ir

from fns_lab.opset.nodes import name_of, node_inputs, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class ConcatGroups(OpRule):
    NAME = "concat-groups"
    FIDELITY = "exact"
    WORKS_AROUND = ("many-inputs",)
    EMITS = ("Concat",)
    OPS = ("Concat",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if len(node_inputs(producer(y))) < 4:
            raise Refusal("fewer than four values make no groups")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        values, axis = node_inputs(producer(y)), producer(y).attributes.get_int("axis", 1)
        size = math.ceil(math.sqrt(len(values)))
        groups = [values[i : i + size] for i in range(0, len(values), size)]
        joined = [op.Concat(*group, axis=axis, _outputs=[f"{y.name}.group{i}"]) for i, group in enumerate(groups)]
        return op.Concat(*joined, axis=axis, _outputs=[name_of(y)])
