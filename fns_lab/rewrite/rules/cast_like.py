"""CastLike as the Cast to the type of its second input.

    CastLike(x, like)  =  Cast(x, to = the type of `like`)

- Supported: CastLike of any opset, from any type to any known one.
- Fidelity: exact.
- Needed by: targets of an opset before 15, which have no CastLike; the rules for Cast take the result.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class CastLike(OpRule):
    NAME = "cast-like"
    FIDELITY = "exact"
    EMITS = ()
    OPS = ("CastLike",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if not (like := node_input(producer(y), 1)).dtype:  # undefined is 0
            raise Refusal(f"the element type of {like.name} is unknown")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        dtype = node_input(node, 1).dtype
        assert dtype is not None
        return op.Cast(x, **{**node.attributes, "to": dtype.value})
