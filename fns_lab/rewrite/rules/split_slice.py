"""Split as one Slice per output.

    y_k = Split(x)[k]  =  Slice(x, start_k, start_k + size_k)  along `axis`

- Supported: Split 2, 11, 13 and 18, any shape of known rank; constant split sizes, or a fixed size along `axis`.
- Fidelity: exact.
- Needed by: ONNX.js on cpu and wasm, which has no Split.
"""

from __future__ import annotations

import itertools

import onnx_ir as ir

from fns_lab.opset.nodes import axis_attribute, name_of, producer, split_sizes
from fns_lab.rewrite.rule import RewriterContext
from fns_lab.rewrite.several_outputs import SeveralOutputsRule


class SplitSlice(SeveralOutputsRule):
    NAME = "split-slice"
    FIDELITY = "exact"
    EMITS = ("Slice",)
    OPS = ("Split",)
    TYPES = None

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        axis_attribute(producer(y0), 0), split_sizes(producer(y0))

    def rewrite(self, op: RewriterContext, x: ir.Value, y0: ir.Value, **others: ir.Value) -> list[ir.Value]:
        node = producer(y0)
        axis = axis_attribute(node, 0)
        edges = [0, *itertools.accumulate(split_sizes(node))]
        return [
            self.slice(op, x, [start], [end], [axis], name_of(y))
            for y, (start, end) in zip(node.outputs, itertools.pairwise(edges), strict=True)
        ]
