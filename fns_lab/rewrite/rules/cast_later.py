"""A Cast of numbers that are integers already, moved behind a node that only moves elements.

    Reshape(Cast(x))  =  Cast(Reshape(x))        Concat(Cast(a), Cast(b), constant)  =  Cast(Concat(a, b, constant))

- Supported: the ops below of any opset, behind a Cast that a rule for quantized ops wrote.
- Fidelity: exact.
- Needed by: targets without Cast, so that the Cast meets the one of the next quantized op (`cast-removed`).
"""

from __future__ import annotations

from collections.abc import Sequence

import onnx_ir as ir

from fns_lab.opset.nodes import node_inputs, producer
from fns_lab.rewrite.quantization import F32, LOSSLESS, QUANTIZED, to_integers
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.targets.checking import runs_converted


class CastLater(OpRule):
    NAME = "cast-later"
    FIDELITY = "exact"
    EMITS = ()
    OPS = (
        "Concat", "DepthToSpace", "Expand", "Flatten", "Gather", "Identity", "MaxPool", "Reshape", "Slice",
        "SpaceToDepth", "Squeeze", "Tile", "Transpose", "Unsqueeze",
    )  # fmt: skip
    TYPES = QUANTIZED

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        casts = [cast for value in nodes[0].inputs if value is not None and (cast := lossless_cast(value))]
        return any(not runs_converted(cast, self.target, self.opset) for cast in casts)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        moved = node_inputs(producer(y)) if self.root == "Concat" else [x]
        for value in moved:
            if not lossless_cast(value) and ir.convenience.get_const_tensor(value) is None:
                raise Refusal(f"{value.name} is not computed in float32")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        moved = node_inputs(node) if self.root == "Concat" else [x]
        floats = [self._in_float(op, value, f"{y.name}.input{i}") for i, value in enumerate(moved)]
        result = op.op(node.op_type, *floats, *node.inputs[len(moved) :], **node.attributes)
        result.name = f"{y.name}.float"
        return to_integers(op, result, ir.DataType(y.dtype or x.dtype or 0), f"{y.name}")

    def _in_float(self, op: RewriterContext, value: ir.Value, name: str) -> ir.Value:
        if (tensor := ir.convenience.get_const_tensor(value)) is not None:
            return initializer(op, tensor.numpy().astype(F32), name)
        source = producer(value).inputs[0]
        if source is None:
            raise Refusal(f"{value.name} is a Cast of nothing")
        return source


def lossless_cast(value: ir.Value) -> ir.Node | None:
    """Return the node of a Cast that a rule for quantized ops wrote, None if another node or none computes `value`."""
    node = value.producer()
    return node if node is not None and node.op_type == "Cast" and node.meta.get(LOSSLESS) else None
