"""The base of rules for nodes that may have several outputs: a pattern of onnxscript has a fixed number of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import onnx_ir as ir
from onnxscript.rewriter.pattern import OpsetPatternBuilder

from fns_lab.rewrite.rule import LoweringRun, Rule, ValuePattern
from fns_lab.targets import Target


class SeveralOutputsRule(Rule):
    """A rule for single nodes of the op types `OPS`; `x` is the first input, `y0`, `y1` and so on are all outputs."""

    OPS: ClassVar[tuple[str, ...]]

    def __init__(self, run: LoweringRun, root: str, outputs: int) -> None:
        super().__init__(run, root)
        self.outputs = outputs

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        """Return `OPS`."""
        return cls.OPS

    @classmethod
    def instances(cls, run: LoweringRun) -> Sequence[Rule]:
        """Return one instance per op and number of outputs that a node of the graph has."""
        kinds = {(op, len(node.outputs)) for op in cls.OPS for node in run.nodes.get(op, ()) if node.outputs}
        return [cls(run, op_type, outputs) for op_type, outputs in sorted(kinds)]

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern) -> ValuePattern:
        """Return the pattern of one node with this number of outputs, whatever its other inputs are."""
        names = [f"y{i}" for i in range(self.outputs)]
        return getattr(op, self.root)(x, _allow_other_inputs=True, _outputs=names)

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        """Return whether the node has this number of outputs and the rule is to rewrite it."""
        return len(nodes[0].outputs) == self.outputs and super().is_needed(nodes)
