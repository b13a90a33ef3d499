"""Concat without its inputs that have no elements.

    Concat(a, nothing, b)  =  Concat(a, b)        Concat(a, nothing)  =  a

- Supported: Concat of any opset and type; shapes known for the inputs without elements.
- Fidelity: exact.
- Needed by: ONNX.js, which takes no tensor without elements; bodies of functions, such as RotaryEmbedding, cut a value
  into parts of which one may be empty.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import name_of, node_inputs, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class ConcatFilled(OpRule):
    NAME = "concat-filled"
    FIDELITY = "exact"
    EMITS = ("Concat",)
    OPS = ("Concat",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        inputs = node_inputs(producer(y))
        filled = _filled(inputs)
        if not filled or len(filled) == len(inputs):
            raise Refusal("all inputs or none have elements, as far as is known")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        filled = _filled(node_inputs(node))
        if len(filled) == 1:
            return op.Identity(filled[0])
        return op.Concat(*filled, axis=node.attributes.get_int("axis", 1), _outputs=[name_of(y)])


def _filled(values: list[ir.Value]) -> list[ir.Value]:
    """Return the values that are not known to have no elements."""
    return [value for value in values if value.shape is None or 0 not in value.shape]
