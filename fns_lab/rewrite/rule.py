"""What all rewrite rules share: when a rule applies, how it refuses, and the nodes that many of them write."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, NamedTuple, Protocol, TypeAlias

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter import RULE_NAME_TAG, MatchContext, MatchResult
from onnxscript.rewriter.pattern import OpsetPatternBuilder, RewriteRuleClassBase

from fns_lab.opset.definitions import node_errors
from fns_lab.opset.nodes import NodeError
from fns_lab.rewrite.sites import key_of
from fns_lab.rewrite.values import unused_name
from fns_lab.targets import Target
from fns_lab.targets.checking import runs_converted
from fns_lab.targets.quirk_kinds import touches

Fidelity = Literal["exact", "rounding", "approximate"]
"""exact: the same bits where the engine computes the same way; rounding: equal in real arithmetic, but float32 rounds
at other places; approximate: another function, never applied unless asked for."""

FLOAT32 = frozenset({ir.DataType.FLOAT})
"""float32 alone."""
FLOATS = frozenset({ir.DataType.FLOAT, ir.DataType.DOUBLE, ir.DataType.FLOAT16, ir.DataType.BFLOAT16})
"""Element types of floating-point numbers."""
INTEGERS = frozenset({
    ir.DataType.INT8, ir.DataType.INT16, ir.DataType.INT32, ir.DataType.INT64,
    ir.DataType.UINT8, ir.DataType.UINT16, ir.DataType.UINT32, ir.DataType.UINT64,
})  # fmt: skip
"""Element types of whole numbers."""
NUMBERS = FLOATS | INTEGERS
"""Sets of element types for `Rule.TYPES`."""

OLDEST_OPSET = 7
"""The first opset at which all nodes that rules write mean what the rules expect: binary ops broadcast from it on."""

ValuePattern: TypeAlias = Any
"""A value of a pattern. onnxscript doesn't export its class of this name, and its pattern builder returns `Any`."""


class RewriterContext(Protocol):
    """onnxscript's `RewriterContext` with types: `op.Relu(x)` adds a Relu node and returns its output."""

    nodes: Sequence[ir.Node]
    initializers: Sequence[ir.Value]

    def __getattr__(self, op_type: str, /) -> Callable[..., ir.Value]: ...

    def op(self, op_type: str, /, *inputs: ir.Value | None, **attributes: object) -> ir.Value:
        """Add a node with one output and return this output."""

    def call_op(
        self, op_type: str, inputs: Sequence[ir.Value | None], attributes: dict[str, Any], /, *, outputs: Sequence[str]
    ) -> ir.Value | Sequence[ir.Value]:
        """Add a node whose outputs have these names and return its output, or all of them if there are several."""

    def initializer(self, tensor: ir.TensorProtocol, name: str | None = None) -> ir.Value:
        """Add an initializer."""


class Tape(RewriterContext, Protocol):
    """The context of a rewrite with what was added to it so far."""

    nodes: Sequence[ir.Node]
    initializers: Sequence[ir.Value]


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
    - `names`: names that values have, as of the start of the current rule
    - `nodes`: the nodes by op type, those inside bodies too, as of the start of the current rule
    - `inlined`: how many nodes with bodies were replaced so far
    - `grown`: how many elements constants have more than those that they were computed from, so far
    """

    target: Target
    opset: int
    graph: ir.Graph
    choices: Mapping[str, str] = field(default_factory=dict)
    refused: list[Refused] = field(default_factory=list)
    names: set[str] = field(default_factory=set)
    nodes: Mapping[str, Sequence[ir.Node]] = field(default_factory=dict)
    inlined: int = 0
    grown: int = 0


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
    TYPES: ClassVar[frozenset[ir.DataType] | None] = FLOAT32
    """Element types that the first input of each matched node may have; None for any, also for one that is unknown.

    A rule that writes float constants, or whose results would overflow in a smaller type, takes float32 alone. One that
    only moves elements takes any, and writes its constants in the type of the value (`dtype_of`)."""

    def __init__(self, run: LoweringRun, root: str) -> None:
        super().__init__(self.NAME)
        self.run = run
        self.root = root
        self._matched: ir.Node

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

    def may_be_needed(self) -> bool:
        """Return whether a node may need the rule, as far as that is known before any is matched."""
        return self.root in self.run.nodes

    @classmethod
    def missing_ops(cls, target: Target) -> tuple[str, ...]:
        """Return the op types that the rule writes and the target doesn't support."""
        return tuple(op for op in cls.EMITS if not target.takes(op, target.opset))

    def guard(self, *args: Any, **kwargs: Any) -> None:
        """Raise `Refusal` (or another `NodeError`) where the rewrite doesn't hold. Gets the values of the pattern."""

    # onnxscript's base class names the context `op`, unlike its own rules.
    def check(self, context: MatchContext, **bindings: ir.Value | None) -> MatchResult:  # type: ignore[override]
        """Return a match where the rule is needed and its guard holds, and record why a needed one refuses."""
        self._matched = context.root
        try:
            with node_errors(context.root.op_type):
                if not self.is_needed(context.nodes):
                    return MatchResult().fail("not needed")
                if self.opset < OLDEST_OPSET:
                    raise Refusal(f"rules write nodes of opset {OLDEST_OPSET} on; the model has opset {self.opset}")
                self._require_types(context.nodes)
                self.guard(**bindings)
        except NodeError as refusal:
            self._refuse(refusal)
            return MatchResult().fail(str(refusal))
        return MatchResult()

    def _refuse(self, refusal: NodeError) -> None:
        """Record why the rule is needed and refuses, unless it wrote the matched node itself."""
        node = self._matched
        if node.metadata_props.get(RULE_NAME_TAG) == self.NAME:
            return
        self.run.refused.append(Refused(node.name or node.op_type, self.NAME, str(refusal)))

    def _require_types(self, nodes: Sequence[ir.Node]) -> None:
        """Raise `Refusal` if the first input of one of the nodes has none of the element types `TYPES`."""
        for node in nodes:
            value = node.inputs[0] if node.inputs else None
            if self.TYPES is None or value is None:
                continue
            if value.dtype is None:
                raise Refusal(f"the element type of {value.name} is unknown")
            if value.dtype not in self.TYPES:
                types = ", ".join(sorted(map(type_name, self.TYPES)))
                raise Refusal(f"{value.name} is {type_name(value.dtype)}; this rule takes {types}")

    def write(self, op: Tape, **bindings: Any) -> ir.Value | Sequence[ir.Value] | None:
        """Call `rewrite` and give the values that it writes names that no value of the graph has yet.

        A result that `rewrite` did not write itself is copied, since onnxscript gives it the name of what it replaces.
        Returns None, and records why, if it raises a `NodeError` that the guard did not foresee.
        """
        rewrite: Callable[..., ir.Value | Sequence[ir.Value]] = self.rewrite  # untyped in the base class
        expected = len(self._matched.outputs)
        try:
            with node_errors(self._matched.op_type):
                outputs = rewrite(op, **bindings)
                results = [outputs] if isinstance(outputs, ir.Value) else list(outputs)
            if len(results) != 1 and len(results) != expected:
                raise Refusal(f"{self._matched.op_type} has {expected} outputs, and inputs for {len(results)}")
        except NodeError as refusal:
            self._refuse(refusal)
            return None
        computed = [value for node in op.nodes for value in node.outputs]
        for value in (*op.initializers, *computed):
            if value not in results and value.name:
                value.name = unused_name(value.name, self.run.names)
        results = [value if value in computed else op.Identity(value) for value in results]
        return results[0] if isinstance(outputs, ir.Value) else results

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
        return any(
            touches(node, quirk, self.opset)
            for node in nodes
            for quirk in self.target.quirks_of(node.op_type)
            if not quirk.kinds.isdisjoint(kinds)
        )

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

    def pad(self, op: RewriterContext, x: ir.Value, pads: Sequence[int], name: str) -> ir.Value:
        """Add a Pad with zeros, whose `pads` are an input since opset 11."""
        if self.opset < 11:
            return op.Pad(x, pads=list(pads), _outputs=[name])
        return op.Pad(x, initializer(op, np.array(pads, np.int64), f"{name}.pads"), _outputs=[name])

    def reshape(self, op: RewriterContext, x: ir.Value, shape: Sequence[int], name: str) -> ir.Value:
        """Add a Reshape to a constant shape; of a constant, an initializer of that shape.

        Raises `Refusal` for a 0 in the shape, which would copy the size of an axis.
        """
        if 0 in shape:
            raise Refusal(f"{name} has no elements")
        if (tensor := ir.convenience.get_const_tensor(x)) is not None:
            return initializer(op, tensor.numpy().reshape(shape), name)
        return op.Reshape(x, initializer(op, np.array(shape, np.int64), f"{name}.shape"), _outputs=[name])

    def clip(
        self, op: RewriterContext, x: ir.Value, low: float, high: float, name: str, *, like: ir.Value | None = None
    ) -> ir.Value:
        """Add a Clip, whose limits are inputs since opset 11. They have the type of `like`, `x` unless given."""
        if self.opset < 11:
            return op.Clip(x, min=float(low), max=float(high), _outputs=[name])
        dtype = dtype_of(like or x)
        limits = (initializer(op, np.array(v, dtype), f"{name}.{k}") for k, v in (("min", low), ("max", high)))
        return op.Clip(x, *limits, _outputs=[name])


class OpRule(Rule):
    """A rule for single nodes of the op types `OPS`; `x` is the node's first input, `y` its first output."""

    OPS: ClassVar[tuple[str, ...]]

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        """Return `OPS`."""
        return cls.OPS

    def may_be_needed(self) -> bool:
        """Return whether one of the nodes needs the rule, each of which is a match by itself."""
        try:
            return any(self.is_needed([node]) for node in self.run.nodes.get(self.root, ()))
        except NodeError:
            return True  # `check` records why

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern) -> ValuePattern:
        """Return the pattern of one node, whatever its other inputs are."""
        return getattr(op, self.root)(x, _allow_other_inputs=True, _outputs=["y"])


def initializer(op: RewriterContext, array: np.ndarray, name: str) -> ir.Value:
    """Add an initializer. Equal ones are merged at the end of `lower`."""
    return op.initializer(ir.tensor(array), name=name)


def scalar(op: RewriterContext, x: ir.Value, number: float, name: str) -> ir.Value:
    """Add an initializer of one number of the type of `x`, which broadcasts without changing the rank of the result."""
    shape = (1,) if x.shape is None or len(x.shape) else ()
    return initializer(op, np.full(shape, number, dtype_of(x)), name)


def dtype_of(x: ir.Value) -> np.dtype:
    """Return the element type of `x`. Raises `Refusal` if it is unknown."""
    if x.dtype is None:
        raise Refusal(f"the element type of {x.name} is unknown")
    return x.dtype.numpy()


def type_name(dtype: ir.DataType) -> str:
    """Return the name of an element type as ONNX's text form writes it, such as float16; float32 for FLOAT."""
    return "float32" if dtype == ir.DataType.FLOAT else dtype.name.lower()
