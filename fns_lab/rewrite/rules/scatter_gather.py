"""Scatter, ScatterElements and ScatterND with constant indices as one Gather from the value and the updates.

    Scatter(x, indices, updates)  =  Gather(Concat(Reshape(x, (-1,)), Reshape(updates, (-1,))), source)

With a reduction the updates of each place are gathered in layers, since several may go to one place, and joined to `x`
in their order; a place without an update gets the neutral number.

    Scatter(x, indices, updates, add)  =  x + Gather(Concat(updates, 0), layer 1) + Gather(Concat(updates, 0), layer 2)

- Supported: these ops of any opset, constant indices, values of fixed shape with elements; reductions in float32.
- Fidelity: exact; of several updates to one place without a reduction the last one counts, as in ONNX Runtime.
- Needed by: all versions of ONNX.js, which have none of them.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, from_the_front, node_inputs, producer
from fns_lab.rewrite.copies import constant_indices, copied, raise_unless_copied
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, dtype_of, initializer
from fns_lab.rewrite.stacks import reduce_stack, typed

NEUTRAL = {"add": 0.0, "mul": 1.0, "max": -np.inf, "min": np.inf}
"""By reduction, the number that changes nothing."""


class ScatterGather(OpRule):
    NAME = "scatter-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Concat", "Gather")
    OPS = ("Scatter", "ScatterElements", "ScatterND")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        _, indices, updates = node_inputs(node)
        constant_indices(indices)
        raise_unless_copied(x, updates)
        if _reduction(node) != "none" and x.dtype != ir.DataType.FLOAT:
            raise Refusal(f"the reduction is {_reduction(node)}, and {x.name} is not float32")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, shape = producer(y), fixed_shape(x)
        updates = node_inputs(node)[2]
        places = _places(node, shape).reshape(-1)
        if (reduction := _reduction(node)) == "none":
            source = np.arange(np.prod(shape, dtype=int))
            source[places] = source.size + np.arange(places.size)
            return copied(self, op, [x, updates], source.reshape(shape), y)
        neutral = initializer(op, np.full(1, NEUTRAL[reduction], dtype_of(x)), f"{y.name}.neutral")
        result = x
        for i, source in enumerate(_layers(places, shape)):
            layer = copied(self, op, [updates, neutral], source, y, name=f"{y.name}.layer{i}")
            result = self._joined(op, reduction, result, typed(layer, ir.Shape(shape), x.dtype), f"{y.name}.joined{i}")
        return op.Identity(x) if result is x else result

    def _joined(self, op: RewriterContext, reduction: str, a: ir.Value, b: ir.Value, name: str) -> ir.Value:
        if reduction in ("max", "min"):
            return reduce_stack(self, op, f"Reduce{reduction.title()}", [a, b], name)
        return (op.Add if reduction == "add" else op.Mul)(a, b, _outputs=[name])


def _reduction(node: ir.Node) -> str:
    return node.attributes.get_string("reduction", "none")


def _places(node: ir.Node, shape: tuple[int, ...]) -> np.ndarray:
    """Return where on the flattened value each update goes, in the order of the updates."""
    indices = constant_indices(node.inputs[1])
    if node.op_type == "ScatterND":
        k = indices.shape[-1]
        first = np.ravel_multi_index(tuple(np.moveaxis(indices, -1, 0)), shape[:k], mode="wrap")
        rest = np.arange(np.prod(shape[k:], dtype=int))
        return np.asarray(np.asarray(first)[..., None] * rest.size + rest)
    axis = from_the_front(node.attributes.get_int("axis", 0), len(shape))
    places: list[np.ndarray] = list(np.indices(indices.shape))
    places[axis] = np.where(indices < 0, indices + shape[axis], indices)
    return np.asarray(np.ravel_multi_index(tuple(places), shape))


def _layers(places: np.ndarray, shape: tuple[int, ...]) -> list[np.ndarray]:
    """Return for the first update of each place, for the second and so on, its number; that after the last for none."""
    seen: dict[int, int] = {}
    layers: list[np.ndarray] = []
    for update, place in enumerate(places.tolist()):
        depth = seen.get(place, 0)
        seen[place] = depth + 1
        if depth == len(layers):
            layers.append(np.full(np.prod(shape, dtype=int), places.size))
        layers[depth][place] = update
    return [layer.reshape(shape) for layer in layers]
