"""A Cast to float32 of numbers that were cast from float32.

    Cast(Cast(x, to=int8), to=float)  =  x        if x holds integers of that type only

- Supported: Casts of any opset, the first one written by a rule for quantized ops.
- Fidelity: exact.
- Needed by: targets without Cast; others save two nodes, and integers of 8 bits that an engine may not hold.
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from fns_lab.opset.nodes import node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext
from fns_lab.rewrite.rules.cast_later import lossless_cast


class CastRemoved(OpRule):
    NAME = "cast-removed"
    FIDELITY = "exact"
    EMITS = ()
    OPS = ("Cast",)
    TYPES = None

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        x = nodes[0].inputs[0]
        return x is not None and lossless_cast(x) is not None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, float32 is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        return op.Identity(node_input(producer(x), 0))
