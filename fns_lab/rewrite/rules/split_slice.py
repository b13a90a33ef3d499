"""Split as one Slice an output.

    y_k = Split(x)[k]  =  Slice(x, start_k, start_k + size_k)  along `axis`

Any shape whose split sizes are known. Split 2, 11, 13 and 18. Fidelity: exact. ONNX.js has no Split on cpu and wasm.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import onnx_ir as ir
from onnxscript.rewriter import pattern

from fns_lab.opset.nodes import rank, split_sizes
from fns_lab.rewrite.rule import Rule, Scope
from fns_lab.targets import Target


class SplitSlice(Rule):
    NAME = "split-slice"
    FIDELITY = "exact"
    EMITS = ("Slice",)

    def __init__(self, scope: Scope, root: str, parts: int) -> None:
        super().__init__(scope, root)
        self.parts = parts

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Split",)

    @classmethod
    def bound(cls, scope: Scope) -> list[pattern.RewriteRule]:
        """One pattern for each number of outputs that occurs, since a pattern has a fixed number of them."""
        counts = {len(node.outputs) for node in scope.graph.all_nodes() if node.op_type == "Split"}
        return [cls.rule(scope, "Split", parts) for parts in sorted(counts)]

    def pattern(self, op, x):
        return op.Split(x, _allow_other_inputs=True, _outputs=[f"y{i}" for i in range(self.parts)])

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        return len(nodes[0].outputs) == self.parts and super().is_needed(nodes)

    def guard(self, x: ir.Value, y0: ir.Value, **others: ir.Value) -> None:
        rank(y0.producer())
        split_sizes(y0.producer())

    def rewrite(self, op, x: ir.Value, y0: ir.Value, **others: ir.Value) -> list[ir.Value]:
        node = y0.producer()
        axis = node.attributes.get_int("axis", 0) % rank(node)
        edges = [0, *itertools.accumulate(split_sizes(node))]
        return [
            self.slice(op, x, [start], [end], [axis], y.name)
            for y, (start, end) in zip(node.outputs, itertools.pairwise(edges), strict=True)
        ]
