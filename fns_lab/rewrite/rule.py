"""What all rewrite rules share: when a rule applies, how it refuses, and the nodes that many of them write."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import MatchContext, MatchResult
from onnxscript.rewriter.pattern import OpsetPatternBuilder, RewriteRuleClassBase

from fns_lab.opset.nodes import NodeError
from fns_lab.rewrite.sites import key_of
from fns_lab.targets import Target
from fns_lab.targets.check import runs_converted
from fns_lab.targets.quirk_kinds import touches

Fidelity = Literal["exact", "rounding", "approximate"]
"""exact: the same bits where the engine computes the same way; rounding: equal in real arithmetic, but float32 rounds
at other places; approximate: another function, never applied unless asked for."""

ValuePattern: TypeAlias = Any
"""A value of a pattern. onnxscript doesn't export its class of this name, and its pattern builder returns `Any`."""


class RewriterContext(Protocol):
    """onnxscript's `RewriterContext` with types: `op.Relu(x)` adds a Relu node and returns its output."""

    def __getattr__(self, op_type: str, /) -> Callable[..., ir.Value]: ...

    def op(self, op_type: str, /, *inputs: ir.Value | None, **attributes: object) -> ir.Value:
        """Add a node with one output and return this output."""

    def call_op(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: dict[str, Any], /, *, outputs: Sequence[str]
    ) -> ir.Value | Sequence[ir.Value]:
        """Add a node whose outputs have these names and return its output, or all of them if there are several."""

    def initializer(self, tensor: ir.TensorProtocol, name: str | None = None) -> ir.Value:
        """Add an initializer."""


class Refusal(NodeError):
    """A rule cannot rewrite the matched nodes; the message says why."""


class Refused(NamedTuple):
    """One row of the table of refusals.

    - `node`: name of the node, or its op type if it has no name
    - `rule`: name of the rule that refused it
    - `reason`: what keeps the rule from rewriting the node
    """

    node: str
    rule: str
    reason: str


@dataclass
class LoweringRun:
    """What all rules share while one model is lowered.

    - `target`: the target that the model is lowered for
    - `opset`: the model's opset, in which rules write their nodes; it is converted after the last rule
    - `graph`: the graph that is rewritten
    - `choices`: by a site's key, the name of the rule to apply there, or `KEEP`
    - `refused`: the refusals so far
    """

    target: Target
    opset: int
    graph: ir.Graph
    choices: Mapping[str, str] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)


class Rule(RewriteRuleClassBase):
    """A rewrite rule: `pattern` matches, `guard` raises `Refusal` where the equation doesn't hold, `rewrite` writes.

    A rule applies where the target cannot run one of the matched nodes, not even converted to the target's opset, and
    where the target prefers the rule by name. A choice for the site overrules both.
    """

    NAME: ClassVar[str]
    FIDELITY: ClassVar[Fidelity]
    EMITS: ClassVar[tuple[str, ...]]
    """Op types of the new nodes that the target must support; the rule is skipped unless it supports all of them."""
    WORKS_AROUND: ClassVar[tuple[str, ...]] = ()
    """Kinds of quirk that the rule avoids. If any, it applies only to nodes with such a quirk, and no site lists it."""
    ADDS_SUPPORT: ClassVar[bool] = True
    """Whether the rule applies to nodes that the target cannot run. If not, it applies only where it is preferred or
    chosen, since all that it can gain is speed."""

    def __init__(self, run: LoweringRun, root: str) -> None:
        super().__init__(self.NAME)
        self.run = run
        self.root = root

    @property
    def target(self) -> Target:
        """The target of this run."""
        return self.run.target

    @property
    def opset(self) -> int:
        """The opset that new nodes are written for."""
        return self.run.opset

    @classmethod
    @abc.abstractmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        """Return the op types that the last node of a match may have; `self.root` is one of them."""

    @classmethod
    def instances(cls, run: LoweringRun) -> Sequence[Rule]:
        """Return one instance per root, since a pattern names one op type."""
        return [cls(run, root) for root in cls.roots(run.target)]

    @classmethod
    def missing_ops(cls, target: Target) -> tuple[str, ...]:
        """Return the op types that the rule writes and the target doesn't support."""
        return tuple(op for op in cls.EMITS if not target.takes(op, target.opset))

    def guard(self, *args: Any, **kwargs: Any) -> None:
        """Raise `Refusal` (or another `NodeError`) where the rewrite doesn't hold. Gets the values of the pattern."""

    # onnxscript's base class names the context `op`, unlike its own rules.
    def check(self, context: MatchContext, **bindings: ir.Value | None) -> MatchResult:  # type: ignore[override]
        """Return a match where the rule is needed and its guard holds, and record why a needed one refuses."""
        if not self.is_needed(context.nodes):
            return MatchResult().fail("not needed")
        try:
            self.guard(**bindings)
        except NodeError as refusal:
            node = context.root
            self.run.refused.append(Refused(node.name or node.op_type, self.NAME, str(refusal)))
            return MatchResult().fail(str(refusal))
        return MatchResult()

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        """Return whether the rule is to rewrite these nodes: because of a quirk, by choice, or for the target."""
        if self.WORKS_AROUND:
            return self.has_quirk(self.WORKS_AROUND, nodes)
        if self.run.choices and (choice := self.run.choices.get(key_of(nodes))):
            return choice == self.NAME
        if self.NAME in self.target.prefer:
            return True
        return self.ADDS_SUPPORT and not all(runs_converted(node, self.target, self.opset) for node in nodes)

    def has_quirk(self, kinds: Sequence[str], nodes: Sequence[ir.Node]) -> bool:
        """Return whether one of the nodes has a quirk of one of these kinds."""
        quirks = [quirk for quirk in self.target.quirks if quirk.kind in kinds]
        return any(touches(node, quirk, self.opset) for quirk in quirks for node in nodes)

    def reduce(
        self, op: RewriterContext, kind: str, x: ir.Value, axes: list[int], *, keepdims: bool, name: str
    ) -> ir.Value:
        """Add a reduction, whose `axes` are an input since opset 18 (ReduceSum: 13)."""
        since = 13 if kind == "ReduceSum" else 18
        if self.opset < since:
            return op.op(kind, x, axes=axes, keepdims=int(keepdims), _outputs=[name])
        axes_input = initializer(op, np.array(axes, np.int64), f"{name}.axes")
        return op.op(kind, x, axes_input, keepdims=int(keepdims), _outputs=[name])

    def slice(
        self, op: RewriterContext, x: ir.Value, starts: list[int], ends: list[int], axes: list[int], name: str
    ) -> ir.Value:
        """Add a Slice, whose limits are inputs since opset 10. `name` is for these inputs; the result has no name."""
        limits = {"starts": starts, "ends": ends, "axes": axes}
        if self.opset < 10:
            return op.Slice(x, **limits)
        return op.Slice(x, *(initializer(op, np.array(v, np.int64), f"{name}.{k}") for k, v in limits.items()))

    def reshape(self, op: RewriterContext, x: ir.Value, shape: Sequence[int], name: str) -> ir.Value:
        """Add a Reshape to a constant shape."""
        return op.Reshape(x, initializer(op, np.array(shape, np.int64), f"{name}.shape"), _outputs=[name])

    def clip(self, op: RewriterContext, x: ir.Value, low: float, high: float, name: str) -> ir.Value:
        """Add a Clip, whose limits are inputs since opset 11."""
        if self.opset < 11:
            return op.Clip(x, min=low, max=high, _outputs=[name])
        limits = (initializer(op, np.array(v, np.float32), f"{name}.{k}") for k, v in (("min", low), ("max", high)))
        return op.Clip(x, *limits, _outputs=[name])


class OpRule(Rule):
    """A rule for single nodes of the op types `OPS`; `x` is the node's first input, `y` its first output."""

    OPS: ClassVar[tuple[str, ...]]

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        """Return `OPS`."""
        return cls.OPS

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern) -> ValuePattern:
        """Return the pattern of one node, whatever its other inputs are."""
        return getattr(op, self.root)(x, _allow_other_inputs=True, _outputs=["y"])


def initializer(op: RewriterContext, array: np.ndarray, name: str) -> ir.Value:
    """Add an initializer. Equal ones are merged at the end of `lower`."""
    return op.initializer(ir.tensor(array), name=name)


def scalar(op: RewriterContext, x: ir.Value, number: float, name: str) -> ir.Value:
    """Add an initializer of one float32 that broadcasts with `x` without changing the rank of the result."""
    return initializer(op, np.full((1,) if x.shape is None or len(x.shape) else (), number, np.float32), name)
