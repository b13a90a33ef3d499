"""Logic on booleans that are indices of 0 and 1, as a reduction over the stacked indices or a look-up.

    a and b = ReduceMin(stack(a, b))        a or b = ReduceMax(stack(a, b))        not a = Gather([1, 0], a)
    a xor b = Gather([0, 1, 0], ReduceSum(stack(a, b)))       a == b = Gather([1, 0, 1], ReduceSum(stack(a, b)))

- Supported: And, Or, Xor, Not and Equal of booleans that `compare_arg_max` wrote, and of constants.
- Fidelity: exact.
- Needed by: ONNX.js on cpu and wasm, for what `compare_arg_max` wrote.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import node_inputs, producer
from fns_lab.rewrite.booleans import (
    as_index,
    boolean,
    chosen,
    index_of,
    inverted,
    raise_if_given_out,
    raise_unless_index,
)
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.stacks import STACKING_OPS, common_shape, reduce_stack

SUMS = {"Xor": (0, 1, 0), "Equal": (1, 0, 1)}
"""By op, the result for each sum of two indices."""


class LogicIndex(OpRule):
    NAME = "logic-index"
    FIDELITY = "exact"
    EMITS = (*STACKING_OPS, "Gather", "ReduceMax", "ReduceMin", "ReduceSum")
    OPS = ("And", "Equal", "Not", "Or", "Xor")
    TYPES = None

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        return any(index_of(value) is not None for node in nodes for value in node.inputs)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        inputs = node_inputs(producer(y))
        raise_if_given_out(y)
        for value in inputs:
            raise_unless_index(value)
        common_shape(inputs)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        inputs, name = node_inputs(producer(y)), f"{y.name}.index"
        indices = [as_index(op, value, f"{name}{i}") for i, value in enumerate(inputs)]
        if self.root == "Not":
            return boolean(op, inverted(op, indices[0], name))
        if self.root in SUMS:
            total = reduce_stack(self, op, "ReduceSum", indices, f"{name}.sum")
            return boolean(op, chosen(op, np.array(SUMS[self.root]), total, name))
        return boolean(op, reduce_stack(self, op, "ReduceMin" if self.root == "And" else "ReduceMax", indices, name))
