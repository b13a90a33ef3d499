"""Where with a condition that is an index of 0 or 1, as one Gather from both values, joined on one axis.

    Where(c, a, b)  =  Gather(Concat(Reshape(b, (-1,)), Reshape(a, (-1,))), where_b + c (where_a - where_b))

`where_a` and `where_b` are the constant positions of the elements of a and b; the sum is taken by reductions over
stacked indices, since the engine of wasm adds no whole numbers.

- Supported: Where 9 and 16, a condition that `compare_arg_max` or `logic_index` wrote, float32 of fixed shapes that
  broadcast, at least one element.
- Fidelity: exact, also where what is not chosen is NaN.
- Needed by: ONNX.js on cpu and wasm, which have no Where.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, name_of, node_inputs, producer
from fns_lab.rewrite.booleans import chosen, index_of
from fns_lab.rewrite.copies import flattened
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.stacks import STACKING_OPS, broadcast, reduce_stack


class WhereIndex(OpRule):
    NAME = "where-index"
    FIDELITY = "exact"
    EMITS = (*STACKING_OPS, "Gather", "ReduceProd", "ReduceSum", "Reshape")
    OPS = ("Where",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        inputs = node_inputs(producer(y))
        if index_of(x) is None:
            raise Refusal(f"{x.name} is not the result of a comparison that was rewritten")
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, float32 is needed")
        if 0 in np.broadcast_shapes(*map(fixed_shape, inputs)):
            raise Refusal(f"{y.name} has no elements")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        inputs, name = node_inputs(producer(y)), name_of(y)
        index = index_of(x)
        assert index is not None
        shape = np.broadcast_shapes(*map(fixed_shape, inputs))
        used = np.ones(shape, bool)
        b = flattened(self, op, inputs[2], used, f"{name}.false")
        a = flattened(self, op, inputs[1], used, f"{name}.true")
        both = op.Concat(b.value, a.value, axis=0, _outputs=[f"{name}.both"])
        source = self._source(op, index, b.positions, b.size + a.positions, f"{name}.source")
        return op.Gather(both, source, axis=0)

    def _source(
        self, op: RewriterContext, index: ir.Value, if_false: np.ndarray, if_true: np.ndarray, name: str
    ) -> ir.Value:
        """Return from where each element is copied."""
        index = broadcast(self, op, index, if_false.shape, f"{name}.index")
        apart = np.unique(if_true - if_false)
        if apart.size == 1:
            moved = chosen(op, np.array([0, apart[0]]), index, f"{name}.moved")
        else:
            distance = initializer(op, if_true - if_false, f"{name}.apart")
            moved = reduce_stack(self, op, "ReduceProd", [index, distance], f"{name}.moved")
        return reduce_stack(self, op, "ReduceSum", [moved, initializer(op, if_false.copy(), f"{name}.false")], name)
