"""`lower`: bring a model to what a target takes, by rules that say what they did and what they refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
import pandas as pd
from onnxscript.rewriter import RULE_NAME_TAG, RewriteRuleSet

from fns_lab.errors import InputError
from fns_lab.models import RULE_PREFIX
from fns_lab.rewrite.rule import Refused, Rule, Scope
from fns_lab.rewrite.rules import RULES
from fns_lab.targets import Check, Target
from fns_lab.targets.check import check_ir
from fns_lab.targets.opset import CannotCarry, carry

NODE_METADATA_SINCE = 10
"""IR version from which nodes and values may carry metadata."""
INITIALIZERS_APART_SINCE = 4
"""IR version from which an initializer need not be a graph input."""
OPSET_RULE = "opset"
"""Stands in the table of applied rules for nodes written in an older form."""


@dataclass(frozen=True)
class Lowering:
    """A model brought to a target. True when the target runs all of `model`.

    `applied` has the columns rule, count, fidelity; `refused` has node, rule, reason; `check` is `model` checked.
    """

    model: onnx.ModelProto
    target: Target
    applied: pd.DataFrame
    refused: pd.DataFrame
    nodes_before: int
    nodes_after: int
    check: Check

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
) -> Lowering:
    """Rewrite `model` until `target` runs it, or as far as the rules go.

    `shapes` fixes the size of inputs by name. The result's opset and IR version are the target's or the model's own,
    whichever is lower. Values that are still there keep their names; a node that a rule wrote says so in its
    `doc_string`. Without `rules`, nodes are only written in the form of the target's opset. Raises `InputError` if
    `shapes` does not fit the model.
    """
    lowered = ir.from_proto(model)
    nodes_before = len(lowered.graph)
    _prepare(lowered, shapes or {})
    scope = Scope(target, opset=lowered.graph.opset_imports.get("", 1))
    applied = []
    for rule in rules:
        if rule.FIDELITY != "approximate" or allow_approximate:
            applied.append((rule.NAME, _apply(rule, lowered, scope), rule.FIDELITY))
    applied.append((OPSET_RULE, _carry_all(lowered, scope), "exact"))
    _finish(lowered, target)
    return Lowering(
        model=ir.to_proto(lowered),
        target=target,
        applied=pd.DataFrame([row for row in applied if row[1]], columns=["rule", "count", "fidelity"]),
        refused=pd.DataFrame(_still_refused(lowered, scope.refused), columns=list(Refused._fields)),
        nodes_before=nodes_before,
        nodes_after=len(lowered.graph),
        check=check_ir(lowered, target),
    )


def _prepare(model: ir.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """Functions inlined, constants as initializers, identities gone, every shape known that can be."""
    passes.InlinePass()(model)
    passes.RemoveInitializersFromInputsPass()(model)
    _fix_shapes(model, shapes)
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    if not _has_bodies(model):
        passes.IdentityEliminationPass()(model)
    passes.ShapeInferencePass()(model)


def _has_bodies(model: ir.Model) -> bool:
    """Whether a Scan, Loop or If has a graph inside. Without its Identity such a graph may end in one value twice, and
    ONNX Runtime's Scan then gives wrong numbers."""
    return sum(1 for _ in model.graph.all_nodes()) > len(model.graph)


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
    bound = rule.bound(scope)
    if not bound or rule.lacking(scope.target):
        return 0
    count = RewriteRuleSet(bound).apply_to_model(model)
    if count:
        passes.ShapeInferencePass()(model)
    return count


def _carry_all(model: ir.Model, scope: Scope) -> int:
    """Write every node in its form at the target's opset; nothing changes if one node has no such form."""
    to_opset = min(scope.opset, scope.target.opset)
    nodes, forms = list(model.graph.all_nodes()), {}
    for node in nodes:
        try:
            forms[node] = carry(node, scope.opset, to_opset)
        except CannotCarry as error:
            scope.refused.append(Refused(node.name or node.op_type, OPSET_RULE, str(error)))
    if len(forms) < len(nodes):
        return 0
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
