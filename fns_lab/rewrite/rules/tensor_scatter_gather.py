"""TensorScatter at constant places as one Gather from the cache and the update.

    TensorScatter(cache, update, places)  =  Gather(Concat(Reshape(cache, (-1,)), Reshape(update, (-1,))), source)

- Supported: TensorScatter 24, linear and circular, constant places, values of fixed shape with elements; any type.
- Fidelity: exact.
- Needed by: targets of an opset before 24, which have none.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, from_the_front, has_input, node_input, producer
from fns_lab.rewrite.copies import copied, raise_unless_copied
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class TensorScatterGather(OpRule):
    NAME = "tensor-scatter-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Concat", "Gather")
    OPS = ("TensorScatter",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        update = node_input(node, 1)
        raise_unless_copied(x, update)
        axis, places, size = _axis(node), _first_places(node), fixed_shape(x)[_axis(node)]
        if axis == 0:
            raise Refusal("the axis is that of the batch")
        if not _is_circular(node) and (places < 0).any() | (places + fixed_shape(update)[axis] > size).any():
            raise Refusal(f"an update at {places.tolist()} reaches beyond the {size} places of the cache")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, shape = producer(y), fixed_shape(x)
        update, axis = node_input(node, 1), _axis(node)
        written = fixed_shape(update)
        places = list(np.indices(written))
        places[axis] = (places[axis] + _first_places(node)[places[0]]) % shape[axis]
        source = np.arange(np.prod(shape, dtype=int))
        flat = np.ravel_multi_index(tuple(places), shape)
        source[flat.reshape(-1)] = source.size + np.arange(flat.size)
        return copied(self, op, [x, update], source.reshape(shape), y)


def _axis(node: ir.Node) -> int:
    return from_the_front(node.attributes.get_int("axis", -2), len(fixed_shape(node.inputs[0])))


def _is_circular(node: ir.Node) -> bool:
    return node.attributes.get_string("mode", "linear") == "circular"


def _first_places(node: ir.Node) -> np.ndarray:
    """Return where the update of each batch starts."""
    if not has_input(node, 2):
        return np.zeros(fixed_shape(node.inputs[0])[0], np.int64)
    return constant_array(node.inputs[2])
