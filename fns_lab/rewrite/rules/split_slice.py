"""Split as one Slice per output.

    y_k = Split(x)[k]  =  Slice(x, start_k, start_k + size_k)  along `axis`

- Supported: Split 2, 11, 13 and 18, any shape of known rank; constant split sizes, or a fixed size along `axis`.
- Fidelity: exact.
- Needed by: ONNX.js on cpu and wasm, which has no Split.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import onnx_ir as ir
from onnxscript.rewriter.pattern import OpsetPatternBuilder

from fns_lab.opset.nodes import axis_attribute, name_of, producer, split_sizes
from fns_lab.rewrite.rule import LoweringRun, RewriterContext, Rule, ValuePattern
from fns_lab.targets import Target


class SplitSlice(Rule):
    NAME = "split-slice"
    FIDELITY = "exact"
    EMITS = ("Slice",)
    TYPES = None

    def __init__(self, run: LoweringRun, root: str, outputs: int) -> None:
        super().__init__(run, root)
        self.outputs = outputs

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Split",)

    @classmethod
    def instances(cls, run: LoweringRun) -> Sequence[Rule]:
        """Return one instance per number of outputs in the graph, since a pattern has a fixed number of them."""
        counts = {len(node.outputs) for node in run.graph.all_nodes() if node.op_type == "Split"}
        return [cls(run, "Split", outputs) for outputs in sorted(counts)]

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern) -> ValuePattern:
        return op.Split(x, _allow_other_inputs=True, _outputs=[f"y{i}" for i in range(self.outputs)])

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        return len(nodes[0].outputs) == self.outputs and super().is_needed(nodes)

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
