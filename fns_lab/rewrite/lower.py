"""`lower`: bring a model to what a target takes, by rules that say what they did and what they refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
import pandas as pd
from onnxscript.optimizer import fold_constants_ir
from onnxscript.rewriter import RULE_NAME_TAG, RewriteRuleSet

from fns_lab.errors import InputError
from fns_lab.models import RULE_PREFIX
from fns_lab.opset.convert import convert
from fns_lab.opset.nodes import NodeError
from fns_lab.rewrite.rule import Refused, Rule, Scope
from fns_lab.rewrite.rules import RULES
from fns_lab.rewrite.sites import Site
from fns_lab.targets import Check, Target
from fns_lab.targets.check import check_ir, converted_refusal, runs_converted

NODE_METADATA_SINCE = 10
"""IR version from which nodes and values may convert metadata."""
INITIALIZERS_APART_SINCE = 4
"""IR version from which an initializer need not be a graph input."""
SMALL = 1024
"""Values in a constant of which others are computed though the target could do it."""
LARGEST_FOLDED = 2**24
"""Values in a constant that is computed while lowering."""
OPSET_RULE = "opset"
"""Stands in the tables for bringing nodes to their older form: of those applied, and of what has no such form."""


@dataclass(frozen=True)
class Lowering:
    """A model brought to a target. True when the target runs all of `model`.

    `applied` has the columns rule, count, fidelity; `refused` has node, rule, reason; `check` is `model` checked.
    `sites` are the places where other rules would have done too, if they were asked for.
    """

    model: onnx.ModelProto
    target: Target
    applied: pd.DataFrame
    refused: pd.DataFrame
    nodes_before: int
    nodes_after: int
    check: Check
    sites: tuple[Site, ...] = ()

    @property
    def supported(self) -> bool:
        return bool(self.check)

    def __bool__(self) -> bool:
        return self.supported

    def __str__(self) -> str:
        return f"{self.nodes_before} nodes became {self.nodes_after}; {self.check}"

    def to_json(self) -> dict:
        """The object that `fns-lab lower --json` prints."""
        return {
            "target": self.target.name,
            "nodes_before": self.nodes_before,
            "nodes_after": self.nodes_after,
            "applied": self.applied.to_dict("records"),
            "refused": self.refused.to_dict("records"),
            "supported": self.supported,
        }


def lower(
    model: onnx.ModelProto,
    target: Target,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    allow_approximate: bool = False,
    rules: Sequence[type[Rule]] = RULES,
    choices: Mapping[str, str] | None = None,
    survey: bool = False,
) -> Lowering:
    """Rewrite `model` until `target` runs it, or as far as the rules go.

    `shapes` fixes the size of inputs by name. The result's opset and IR version are the target's or the model's own,
    whichever is lower. Values that are still there keep their names; a node that a rule wrote says so in its
    `doc_string`. What follows from fixed sizes is computed here (`Shape` and the arithmetic on it). Where a node has no
    form at the target's opset, the model stays at its own, and `refused` and `check` name that node with the
    reason. Without `rules`, nodes are only written in the form of the target's opset. `choices` says which rule takes a
    site, by the site's key (`fns_lab.rewrite.sites`); elsewhere what the target needs or prefers holds. With `survey`
    the result names the sites that were met, and those without a choice stay as they are.
    Raises `InputError` if `shapes` does not fit the model.
    """
    lowered = ir.from_proto(model)
    nodes_before = len(lowered.graph)
    opset, sites = lowered.graph.opset_imports.get("", 1), {} if survey else None
    scope = Scope(target, opset, lowered.graph, choices=choices or {}, sites=sites)
    _prepare(lowered, shapes or {}, scope)
    applied = []
    for rule in rules:
        if rule.FIDELITY != "approximate" or allow_approximate:
            applied.append((rule.NAME, _apply(rule, lowered, scope), rule.FIDELITY))
    passes.RemoveUnusedNodesPass()(lowered)  # what no output needs must not stand in the way
    _name_blocked(lowered, scope)
    converted = _convert_all(lowered, scope)
    applied.append((OPSET_RULE, converted or 0, "exact"))
    _finish(lowered, target)
    return Lowering(
        model=ir.to_proto(lowered),
        target=target,
        applied=pd.DataFrame([row for row in applied if row[1]], columns=["rule", "count", "fidelity"]),
        refused=pd.DataFrame(_still_refused(lowered, scope.refused), columns=list(Refused._fields)),
        nodes_before=nodes_before,
        nodes_after=len(lowered.graph),
        check=check_ir(lowered, target, converted_refusal if converted is None else None),
        sites=tuple((scope.sites or {}).values()),
    )


def _prepare(model: ir.Model, shapes: Mapping[str, Sequence[int]], scope: Scope) -> None:
    """Functions inlined, constants as initializers, identities gone, every shape known that can be."""
    passes.InlinePass()(model)
    passes.RemoveInitializersFromInputsPass()(model)
    _free_negative_sizes(model)
    _fix_shapes(model, shapes)
    passes.NameFixPass()(model)  # refusals go by a node's name
    _settle(model, scope)


def _settle(model: ir.Model, scope: Scope) -> None:
    """Infer shapes; compute what follows from them and from constants, if it is small or the target cannot.

    Not beside a Scan, Loop or If: a graph inside one that ends in one value twice, as it does without its Identity,
    runs wrong in ONNX Runtime's Scan, and onnxscript's folding breaks it.
    """

    if sum(1 for _ in model.graph.all_nodes()) > len(model.graph):
        passes.ShapeInferencePass()(model)
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        return

    def must_fold(node: ir.Node) -> bool | None:
        return None if runs_converted(node, scope.target, scope.opset) else True

    passes.IdentityEliminationPass()(model)
    passes.ShapeInferencePass()(model)
    fold_constants_ir(
        model,
        onnx_shape_inference=True,
        input_size_limit=SMALL,
        output_size_limit=LARGEST_FOLDED,
        should_fold=must_fold,
    )
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.IdentityEliminationPass()(model)


def _free_negative_sizes(model: ir.Model) -> None:
    """Make sizes below 0, which some exporters write for free ones, free without a name."""
    for value in (*model.graph.inputs, *(output for node in model.graph.all_nodes() for output in node.outputs)):
        if value.shape is not None and any(isinstance(size, int) and size < 0 for size in value.shape):
            value.shape = ir.Shape([None if isinstance(size, int) and size < 0 else size for size in value.shape])


def _fix_shapes(model: ir.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    inputs = {value.name: value for value in model.graph.inputs}
    for name, shape in shapes.items():
        if name not in inputs:
            raise InputError(f"the model has no input {name!r}; it has {', '.join(inputs)}")
        old = inputs[name].shape
        if old is not None and (
            len(old) != len(shape) or any(isinstance(o, int) and o != s for o, s in zip(old, shape, strict=True))
        ):
            raise InputError(f"the shape {'x'.join(map(str, shape))} does not fit input {name!r}, which is {old}")
        inputs[name].shape = ir.Shape(shape)
    if shapes:
        for node in model.graph.all_nodes():
            for value in node.outputs:
                value.shape = None


def _apply(rule: type[Rule], model: ir.Model, scope: Scope) -> int:
    present = {node.op_type for node in model.graph.all_nodes()}
    if present.isdisjoint(rule.roots(scope.target)):
        return 0
    bound = rule.bound(scope)
    if not bound or rule.lacking(scope.target):
        return 0
    count = RewriteRuleSet(bound).apply_to_model(model)
    if count:
        _settle(model, scope)
    return count


def _name_blocked(model: ir.Model, scope: Scope) -> None:
    """Note each node that has no form that the target runs, with the reason, unless a rule has named it."""
    named = {row.node for row in scope.refused}
    blocked = {node: converted_refusal(node, scope.target, scope.opset) for node in model.graph.all_nodes()}
    for node, reason in blocked.items():
        if reason and (name := node.name or node.op_type) not in named:
            scope.refused.append(Refused(name, OPSET_RULE, reason))


def _convert_all(model: ir.Model, scope: Scope) -> int | None:
    """Write every node in its form at the target's opset; None, and nothing done, where one has no such form."""
    to_opset = min(scope.opset, scope.target.opset)
    try:
        forms = {node: convert(node, scope.opset, to_opset) for node in model.graph.all_nodes()}
    except NodeError:
        return None
    model.graph.opset_imports[""] = to_opset
    changed = 0
    for node, form in forms.items():
        if (form.op_type, form.inputs, dict(form.attributes)) == (node.op_type, node.inputs, dict(node.attributes)):
            continue
        if form.op_type != node.op_type or form.inputs != node.inputs:
            changed += 1
            node.metadata_props.setdefault(RULE_NAME_TAG, OPSET_RULE)
        node.op_type = form.op_type
        node.resize_inputs(len(form.inputs))
        for index, value in enumerate(form.inputs):
            if value is not None and value.const_value is not None and value.graph is None:
                model.graph.register_initializer(value)
            node.replace_input_with(index, value)
        node.attributes.clear()
        node.attributes.update(form.attributes)
    return changed


def _finish(model: ir.Model, target: Target) -> None:
    passes.RemoveUnusedNodesPass()(model)
    passes.RemoveUnusedOpsetsPass()(model)
    passes.DeduplicateInitializersPass()(model)
    passes.NameFixPass()(model)
    model.ir_version = min(model.ir_version, target.ir_version)
    for node in model.graph.all_nodes():
        if rule := node.metadata_props.get(RULE_NAME_TAG):
            node.doc_string = RULE_PREFIX + rule
        if model.ir_version < NODE_METADATA_SINCE:
            node.metadata_props.clear()
            for value in node.outputs:
                value.metadata_props.clear()
    if model.ir_version < NODE_METADATA_SINCE:
        for value in (*model.graph.inputs, *model.graph.initializers.values()):
            value.metadata_props.clear()
    if target.initializers_are_inputs or model.ir_version < INITIALIZERS_APART_SINCE:
        passes.AddInitializersToInputsPass()(model)


def _still_refused(model: ir.Model, refused: Sequence[Refused]) -> list[Refused]:
    """Refusals that still stand: a node that another rule took is no longer in the graph."""
    left = {node.name for node in model.graph.all_nodes()}
    return [row for row in dict.fromkeys(refused) if row.node in left]
