"""`lower`: rewrite a model for a target by rules, and report what each rule did and what it refused.

`lower` copies its input. Each stage below says whether it changes this copy ("In place: ...") or only reads it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
import pandas as pd
from onnxscript.optimizer import fold_constants_ir
from onnxscript.rewriter import RULE_NAME_TAG, RewriteRule, RewriteRuleSet

from fns_lab.errors import InputError
from fns_lab.models import RULE_PREFIX
from fns_lab.opset.convert import convert
from fns_lab.opset.domain import name_domain_alike, onnx_opset
from fns_lab.opset.nodes import NodeError
from fns_lab.rewrite.rule import LoweringRun, Refused, Rule
from fns_lab.rewrite.rules import RULES
from fns_lab.rewrite.site_list import SiteList
from fns_lab.rewrite.sites import Site
from fns_lab.targets import Check, Target
from fns_lab.targets.check import check_ir, converted_refusal, runs_converted

NODE_METADATA_SINCE = 10
"""IR version from which nodes and values may have metadata."""
INITIALIZERS_APART_SINCE = 4
"""IR version from which an initializer need not be a graph input."""
MOST_INPUT = 1024
"""Largest constant input, in elements, of a node that is folded although the target supports the op."""
MOST_OUTPUT = 2**24
"""Largest result, in elements, of any node that is folded."""
OPSET_RULE = "opset"
"""Stands in the tables `applied` and `refused` for converting nodes to the target's opset."""


@dataclass(frozen=True)
class Lowering:
    """A model rewritten for a target. True if the target runs all of `model`.

    `check` is the target's answer for `model`. `sites` are the sites of the model, if they were asked for.

    `applied`, one row per rule that rewrote something:
    - `rule`: name of the rule
    - `count`: how often it was applied
    - `fidelity`: exact, rounding or approximate

    `refused`, one row per node and rule that could not rewrite it (nodes that another rule rewrote are left out):
    - `node`: name of the node
    - `rule`: name of the rule
    - `reason`: what keeps the rule from rewriting the node
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
        """Whether the target runs all of `model`."""
        return bool(self.check)

    def __bool__(self) -> bool:
        return self.supported

    def __str__(self) -> str:
        return f"{self.nodes_before} nodes became {self.nodes_after}; {self.check}"

    def to_json(self) -> dict[str, Any]:
        """Return the object that `fns-lab lower --json` prints."""
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
    list_sites: bool = False,
) -> Lowering:
    """Rewrite `model` until `target` runs it, or as far as the rules go.

    - `shapes`: the size of inputs, by name; what follows from fixed sizes (`Shape` and arithmetic on it) is folded
    - `allow_approximate`: also apply rules that compute another function
    - `rules`: the rules to apply, in this order; without any, nodes are only converted to the target's opset
    - `choices`: the rule to apply at a site, or `KEEP`, by the site's key (`fns_lab.rewrite.sites`); at other sites the
      first rule applies that the target needs or prefers
    - `list_sites`: list all sites in the result, and leave those without a choice unmodified

    The result has the opset and the IR version of the target, or those of the model if they are lower. If a node can't
    be converted, the whole model stays at its own opset, and `refused` and `check` name the node and the reason.
    Values that are still computed keep their names, and the `doc_string` of each new node names its rule.
    Raises `InputError` if `shapes` doesn't fit the model.
    """
    lowered = ir.from_proto(model)
    name_domain_alike(lowered)
    nodes_before = len(lowered.graph)
    run = LoweringRun(target, onnx_opset(lowered), lowered.graph, choices or {})
    sites = SiteList(run) if list_sites else None
    _prepare(lowered, shapes or {}, run)
    applied = []
    for rule in rules:
        if rule.FIDELITY != "approximate" or allow_approximate:
            applied.append((rule.NAME, _apply(rule, lowered, run, sites), rule.FIDELITY))
    passes.RemoveUnusedNodesPass()(lowered)  # a node that no output needs must not block the conversion
    _record_unsupported(lowered, run)
    converted = _convert_opset(lowered, run)
    applied.append((OPSET_RULE, converted or 0, "exact"))
    _clean_up(lowered, target)
    return Lowering(
        model=ir.to_proto(lowered),
        target=target,
        applied=pd.DataFrame([row for row in applied if row[1]], columns=["rule", "count", "fidelity"]),
        refused=pd.DataFrame(_still_refused(lowered, run.refused), columns=list(Refused._fields)),
        nodes_before=nodes_before,
        nodes_after=len(lowered.graph),
        check=check_ir(lowered, target, converted_refusal if converted is None else None),
        sites=tuple(sites.sites.values()) if sites else (),
    )


def _prepare(model: ir.Model, shapes: Mapping[str, Sequence[int]], run: LoweringRun) -> None:
    """In place: inline functions, fix the shapes of inputs, name all nodes, infer shapes and fold constants."""
    passes.InlinePass()(model)
    passes.RemoveInitializersFromInputsPass()(model)
    _free_negative_sizes(model)
    _fix_input_shapes(model, shapes)
    passes.NameFixPass()(model)  # refusals name nodes
    _fold_constants(model, run)


def _free_negative_sizes(model: ir.Model) -> None:
    """In place: make sizes below 0, which some exporters write for free ones, free without a name."""
    for value in (*model.graph.inputs, *(output for node in model.graph.all_nodes() for output in node.outputs)):
        if value.shape is not None and any(isinstance(size, int) and size < 0 for size in value.shape):
            value.shape = ir.Shape([None if isinstance(size, int) and size < 0 else size for size in value.shape])


def _fix_input_shapes(model: ir.Model, shapes: Mapping[str, Sequence[int]]) -> None:
    """In place: give inputs these shapes and forget the shapes of all other values. Raises `InputError`."""
    inputs = {value.name or "": value for value in model.graph.inputs}
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


def _fold_constants(model: ir.Model, run: LoweringRun) -> None:
    """In place: infer shapes, make constants initializers, and compute nodes whose inputs are all constant.

    Large constants are folded only if the target does not support the node. With a Scan, Loop or If in the model
    nothing is folded: onnxscript's folding breaks their bodies, and ONNX Runtime's Scan gives wrong results for a body
    that returns one value twice, as it may without its Identity nodes.
    """
    has_bodies = sum(1 for _ in model.graph.all_nodes()) > len(model.graph)
    if has_bodies:
        passes.ShapeInferencePass()(model)
        passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
        return
    passes.IdentityEliminationPass()(model)
    passes.ShapeInferencePass()(model)
    fold_constants_ir(
        model,
        onnx_shape_inference=True,
        input_size_limit=MOST_INPUT,
        output_size_limit=MOST_OUTPUT,
        should_fold=lambda node: None if runs_converted(node, run.target, run.opset) else True,
    )
    passes.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0)(model)
    passes.IdentityEliminationPass()(model)


def _apply(rule: type[Rule], model: ir.Model, run: LoweringRun, sites: SiteList | None) -> int:
    """In place: apply a rule wherever it matches and return how often it did."""
    op_types = {node.op_type for node in model.graph.all_nodes()}
    if op_types.isdisjoint(rule.roots(run.target)) or rule.missing_ops(run.target):
        return 0
    instances = rule.instances(run)
    if not instances:
        return 0
    run.read_names()
    checks = [sites.check_of(instance) if sites else instance.check for instance in instances]
    count = RewriteRuleSet(
        [
            RewriteRule(instance.pattern, instance.write, check, name=rule.NAME)
            for instance, check in zip(instances, checks, strict=True)
        ]
    ).apply_to_model(model)
    if count:
        _fold_constants(model, run)
    return count


def _record_unsupported(model: ir.Model, run: LoweringRun) -> None:
    """Read only: record each node that the target cannot run once converted, unless a rule's refusal names it."""
    named = {row.node for row in run.refused}
    for node in model.graph.all_nodes():
        name = node.name or node.op_type
        if name not in named and (reason := converted_refusal(node, run.target, run.opset)):
            run.refused.append(Refused(name, OPSET_RULE, reason))


def _convert_opset(model: ir.Model, run: LoweringRun) -> int | None:
    """In place: convert all nodes to the target's opset, unless it is higher, and return how many changed.

    Returns None, with the model unmodified, if a node can't be converted.
    """
    to_opset = min(run.opset, run.target.opset)
    try:
        converted = {node: convert(node, run.opset, to_opset) for node in model.graph.all_nodes()}
    except NodeError:
        return None
    model.graph.opset_imports[""] = to_opset
    changed = 0
    for node, spec in converted.items():
        if (spec.op_type, spec.inputs, dict(spec.attributes)) == (node.op_type, node.inputs, dict(node.attributes)):
            continue
        if spec.op_type != node.op_type or spec.inputs != node.inputs:
            changed += 1
            node.metadata_props.setdefault(RULE_NAME_TAG, OPSET_RULE)
        node.op_type = spec.op_type
        node.resize_inputs(len(spec.inputs))
        for index, value in enumerate(spec.inputs):
            if value is not None and value.const_value is not None and value.graph is None:
                model.graph.register_initializer(value)
            node.replace_input_with(index, value)
        node.attributes.clear()
        node.attributes.update(spec.attributes)
    return changed


def _clean_up(model: ir.Model, target: Target) -> None:
    """In place: remove what is unused, set the IR version, and name the rule of each new node in its `doc_string`."""
    passes.RemoveUnusedNodesPass()(model)
    passes.RemoveUnusedOpsetsPass()(model)
    passes.DeduplicateInitializersPass()(model)
    passes.NameFixPass()(model)
    model.ir_version = min(model.ir_version, target.ir_version)
    for node in model.graph.all_nodes():
        if rule := node.metadata_props.get(RULE_NAME_TAG):
            node.doc_string = RULE_PREFIX + rule
    if model.ir_version < NODE_METADATA_SINCE:
        _remove_metadata(model)
    if target.initializers_are_inputs or model.ir_version < INITIALIZERS_APART_SINCE:
        passes.AddInitializersToInputsPass()(model)


def _remove_metadata(model: ir.Model) -> None:
    """In place: remove the metadata of nodes and values."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()


def _still_refused(model: ir.Model, refused: Sequence[Refused]) -> list[Refused]:
    """Return the refusals of nodes that are still in the graph, each once."""
    left = {node.name for node in model.graph.all_nodes()}
    return [row for row in dict.fromkeys(refused) if row.node in left]
