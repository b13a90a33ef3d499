"""What every rewrite rule shares: when it is called for, how it refuses, how it names what it writes."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, NamedTuple

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import pattern

from fns_lab.opset.nodes import NodeError
from fns_lab.rewrite.sites import Site, in_order, key_of, site_of
from fns_lab.targets import Target
from fns_lab.targets.check import runs_converted
from fns_lab.targets.quirk_kinds import touches

Fidelity = Literal["exact", "rounding", "approximate"]
"""exact: the same bits where the engine computes the same way; rounding: equal in real arithmetic, float32 rounds
elsewhere; approximate: another function, never applied unless asked for."""


class Refusal(NodeError):
    """A rule cannot rewrite this place; the message says why."""


class Refused(NamedTuple):
    """One row of the table of refusals."""

    node: str
    rule: str
    reason: str


@dataclass
class Scope:
    """What a rule knows of the run it is part of."""

    target: Target
    opset: int
    """Of the model while it is rewritten; rules write nodes in the form of this opset."""
    graph: ir.Graph | None = None
    refused: list[Refused] = field(default_factory=list)
    choices: Mapping[str, str] = field(default_factory=dict)
    """A rule's name, or `KEEP`, by the key of a site."""
    sites: dict[str, Site] | None = None
    """Every site met, by its key; None when nobody asked."""

    def note(self, rule: str, nodes: Sequence[ir.Node]) -> bool:
        """The rule holds for these nodes; whether they are a site that nothing was chosen for yet."""
        key = key_of(nodes)
        site = self.sites[key] if key in self.sites else site_of(nodes, self.opset)
        if site is None:
            return False
        self.sites[key] = site
        site.note(rule, in_order(nodes)[-1].outputs[0].name)
        return key not in self.choices


class Rule(pattern.RewriteRuleClassBase):
    """A rewrite: `pattern` matches, `guard` raises `Refusal` where it does not apply, `rewrite` writes the new nodes.

    It is called for where the target cannot run one of the matched nodes in any form that `lower` could give it,
    or where the target prefers the rule by name; a choice for the site overrules both.
    """

    NAME: ClassVar[str]
    FIDELITY: ClassVar[Fidelity]
    EMITS: ClassVar[tuple[str, ...]]
    """Op types of the new nodes that the target must take."""
    WORKS_AROUND: ClassVar[tuple[str, ...]] = ()
    """Kinds of quirk that call for it, and nothing else does; such a rule is no form of a site."""
    ADDS_SUPPORT: ClassVar[bool] = True
    """Whether it can write what a target lacks; a rule whose only gain is speed waits until it is preferred."""

    def __init__(self, scope: Scope, root: str) -> None:
        super().__init__(self.NAME)
        self.scope = scope
        self.root = root

    @classmethod
    @abc.abstractmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        """The op types of the last node of a match; `pattern` is built once for each, with it as `self.root`."""

    @classmethod
    def bound(cls, scope: Scope) -> list[pattern.RewriteRule]:
        """The rule for one run, one pattern a root."""
        return [cls.rule(scope, root) for root in cls.roots(scope.target)]

    @classmethod
    def lacking(cls, target: Target) -> tuple[str, ...]:
        """The op types that this rule writes and the target does not take."""
        return tuple(op for op in cls.EMITS if not target.takes(op, target.opset))

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        """Whether this rule is chosen for these nodes; where nothing is, whether the target needs or prefers it."""
        target, opset = self.scope.target, self.scope.opset
        if self.WORKS_AROUND:
            return self.quirk_touches(self.WORKS_AROUND, nodes)
        if self.scope.choices and (choice := self.scope.choices.get(key_of(nodes))):
            return choice == self.NAME
        if self.NAME in target.prefer:
            return True
        return self.ADDS_SUPPORT and not all(runs_converted(node, target, opset) for node in nodes)

    def quirk_touches(self, kinds: Sequence[str], nodes: Sequence[ir.Node]) -> bool:
        """Whether a quirk of one of these kinds touches one of the nodes."""
        quirks = [quirk for quirk in self.scope.target.quirks if quirk.kind in kinds]
        return any(touches(node, quirk, self.scope.opset) for quirk in quirks for node in nodes)

    def guard(self, **bindings: ir.Value | None) -> None:
        """Raise `Refusal` (or another `NodeError`) where the rewrite does not hold."""

    def check(self, context, **bindings: ir.Value | None) -> pattern.MatchResult:
        result = pattern.MatchResult()
        is_needed, surveyed = self.is_needed(context.nodes), not self.WORKS_AROUND and self.scope.sites is not None
        if not is_needed and not surveyed:
            return result.fail("not called for")
        try:
            self.guard(**bindings)
        except NodeError as refusal:
            if is_needed:
                self.scope.refused.append(Refused(context.root.name or context.root.op_type, self.NAME, str(refusal)))
            return result.fail(str(refusal))
        if surveyed and self.scope.note(self.NAME, context.nodes):
            return result.fail("to be chosen: the next rules shall see it too")
        return result if is_needed else result.fail("not called for")

    def reduce(self, op, kind: str, x: ir.Value, axes: list[int], *, keepdims: bool, name: str) -> ir.Value:
        """A reduction in the form of the model's opset: `axes` became an input at opset 18 (ReduceSum: 13)."""
        since = 13 if kind == "ReduceSum" else 18
        if self.scope.opset < since:
            return op.op(kind, x, axes=axes, keepdims=int(keepdims), _outputs=[name])
        return op.op(
            kind, x, initializer(op, np.array(axes, np.int64), f"{name}.axes"), keepdims=int(keepdims), _outputs=[name]
        )

    def slice(self, op, x: ir.Value, starts: list[int], ends: list[int], axes: list[int], name: str) -> ir.Value:
        """A Slice in the form of the model's opset: its numbers became inputs at opset 10. The result is unnamed."""
        numbers = {"starts": starts, "ends": ends, "axes": axes}
        if self.scope.opset < 10:
            return op.Slice(x, **numbers)
        return op.Slice(x, *(initializer(op, np.array(v, np.int64), f"{name}.{k}") for k, v in numbers.items()))

    def reshape(self, op, x: ir.Value, shape: Sequence[int], name: str) -> ir.Value:
        """A Reshape to a constant shape."""
        return op.Reshape(x, initializer(op, np.array(shape, np.int64), f"{name}.shape"), _outputs=[name])

    def clip(self, op, x: ir.Value, low: float, high: float, name: str) -> ir.Value:
        """A Clip in the form of the model's opset: its limits became inputs at opset 11."""
        if self.scope.opset < 11:
            return op.Clip(x, min=low, max=high, _outputs=[name])
        limits = (initializer(op, np.array(v, np.float32), f"{name}.{k}") for k, v in (("min", low), ("max", high)))
        return op.Clip(x, *limits, _outputs=[name])


class OpRule(Rule):
    """A rule that rewrites single nodes of the types `OPS`; it gets the first input as `x`, the first output as `y`."""

    OPS: ClassVar[tuple[str, ...]]

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return cls.OPS

    def pattern(self, op, x):
        return getattr(op, self.root)(x, _allow_other_inputs=True, _outputs=["y"])


def initializer(op, array: np.ndarray, name: str) -> ir.Value:
    """An initializer; equal ones are merged when the lowering ends."""
    return op.initializer(ir.tensor(array), name=name)


def scalar(op, x: ir.Value, number: float, name: str) -> ir.Value:
    """An initializer of one float32 that an elementwise op with `x` spreads without adding an axis."""
    return initializer(op, np.full((1,) if x.shape is None or len(x.shape) else (), number, np.float32), name)
