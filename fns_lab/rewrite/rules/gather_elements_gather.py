"""GatherElements with constant indices as one Gather from the value on one axis.

    GatherElements(x, indices, axis)  =  Gather(Reshape(x, (-1,)), source)

`source` has the shape of `indices` and holds where each element stands in `x`.

- Supported: GatherElements 11 and 13, constant indices, `x` of any type and of fixed shape with elements.
- Fidelity: exact.
- Needed by: all versions of ONNX.js, which have no GatherElements; the losses use it.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, from_the_front, producer
from fns_lab.rewrite.copies import constant_indices, copied, raise_unless_copied
from fns_lab.rewrite.rule import OpRule, RewriterContext


class GatherElementsGather(OpRule):
    NAME = "gather-elements-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Gather")
    OPS = ("GatherElements",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        constant_indices(producer(y).inputs[1])
        raise_unless_copied(x, y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, shape = producer(y), fixed_shape(x)
        axis = from_the_front(node.attributes.get_int("axis", 0), len(shape))
        indices = constant_indices(node.inputs[1])
        places: list[np.ndarray] = list(np.indices(indices.shape))
        places[axis] = np.where(indices < 0, indices + shape[axis], indices)
        return copied(self, op, [x], np.asarray(np.ravel_multi_index(tuple(places), shape)), y)
