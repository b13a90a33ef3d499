"""Gather by indices that are cast from float32, as an ArgMax over all indices that there are.

    Gather(x, Cast(f))  =  Gather(x, Gather((0, ..., n - 1, 0, ..., n - 1), ArgMax(-|t - k|)))      k = -n, ..., n - 1
    t = Floor(Relu(f)) - Floor(Relu(-f))

`t` is `f` without its fraction, as Cast leaves it; only one k is as far as nothing from it.

- Supported: Gather of any opset by a Cast from float32, `x` of fixed size n along the axis, f of fixed shape.
- Fidelity: exact; an index out of range, which ONNX forbids, becomes the nearest one.
- Needed by: ONNX.js on cpu and wasm, which has no Cast, for the embeddings of networks that take floats.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, fixed_shape, fixed_size, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.stacks import unsqueeze
from fns_lab.targets.checking import runs_converted

MOST_DISTANCES = 2**22
"""Largest number of elements that ArgMax may compare."""


class GatherByNumber(OpRule):
    NAME = "gather-by-number"
    FIDELITY = "exact"
    EMITS = ("Abs", "ArgMax", "Floor", "Gather", "Neg", "Relu", "Sub", "Unsqueeze")
    OPS = ("Gather",)
    TYPES = None

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        cast = _cast(nodes[0])
        return cast is not None and not runs_converted(cast, self.target, self.opset)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        number = _number(node)
        if number.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{number.name} is {number.dtype}, float32 is needed")
        elements = math.prod(fixed_shape(number)) * 2 * fixed_size(x, axis_attribute(node, 0))
        if not 0 < elements <= MOST_DISTANCES:
            raise Refusal(f"ArgMax would compare {elements} elements; 1 to {MOST_DISTANCES} are compared")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, name = producer(y), y.name
        number, axis = _number(node), axis_attribute(node, 0)
        size, rank = fixed_size(x, axis), len(fixed_shape(number))
        up = op.Floor(op.Relu(number, _outputs=[f"{name}.positive"]), _outputs=[f"{name}.up"])
        negated = op.Neg(number, _outputs=[f"{name}.negated"])
        down = op.Floor(op.Relu(negated, _outputs=[f"{name}.negative"]), _outputs=[f"{name}.down"])
        whole = op.Sub(up, down, _outputs=[f"{name}.whole"])
        candidates = initializer(op, np.arange(-size, size).astype(np.float32), f"{name}.candidates")
        apart = op.Sub(unsqueeze(self, op, whole, [rank], f"{name}.column"), candidates, _outputs=[f"{name}.apart"])
        near = op.Neg(op.Abs(apart, _outputs=[f"{name}.distance"]), _outputs=[f"{name}.near"])
        nearest = op.ArgMax(near, axis=rank, keepdims=0, _outputs=[f"{name}.nearest"])
        places = initializer(op, np.tile(np.arange(size), 2), f"{name}.places")
        return op.Gather(x, op.Gather(places, nearest, axis=0, _outputs=[f"{name}.place"]), axis=axis)


def _cast(gather: ir.Node) -> ir.Node | None:
    """Return the Cast that computes the indices, None if another node or none does."""
    index = gather.inputs[1]
    node = None if index is None else index.producer()
    return node if node is not None and node.op_type == "Cast" else None


def _number(gather: ir.Node) -> ir.Value:
    return node_input(producer(node_input(gather, 1)), 0)
