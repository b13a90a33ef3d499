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
from onnxscript.rewriter import RewriteRule, RewriteRuleSet

from fns_lab.opset.domain import onnx_opset
from fns_lab.rewrite.control_flow import CONTROL_FLOW_RULE
from fns_lab.rewrite.finish import OPSET_RULE, clean_up, convert_opset, require_whole, restore_claims, store_raw
from fns_lab.rewrite.folding import fold_constants
from fns_lab.rewrite.prepare import prepared
from fns_lab.rewrite.rule import LoweringRun, Refused, Rule
from fns_lab.rewrite.rules import RULES
from fns_lab.rewrite.site_list import SiteList
from fns_lab.rewrite.sites import Site
from fns_lab.rewrite.values import names_of_values
from fns_lab.targets import Check, Target
from fns_lab.targets.checking import check_ir, converted_refusal, file_refusals

__all__ = ["OPSET_RULE", "Lowering", "lower"]


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

    It has no rows if the target runs all of `model`. `declined` has them then: what refused was only preferred.
    """

    model: onnx.ModelProto
    target: Target
    applied: pd.DataFrame
    refused: pd.DataFrame
    nodes_before: int
    nodes_after: int
    check: Check
    declined: pd.DataFrame
    sites: tuple[Site, ...] = ()

    @property
    def supported(self) -> bool:
        """Whether the target runs all of `model`."""
        return bool(self.check)

    def __bool__(self) -> bool:
        return self.supported

    def __str__(self) -> str:
        return f"{self.nodes_before} nodes became {self.nodes_after}; {self.check}"

    def methods(self) -> str:
        """Return how the model was rewritten, in one sentence for a write-up."""
        rules = ", ".join(f"{row.rule} ({row.fidelity})" for row in self.applied.itertuples())
        return (
            f"{self.nodes_before} nodes were rewritten for {self.target} as {self.nodes_after}, "
            f"{f'by the rules {rules}' if rules else 'by no rule'}."
        )

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
    be converted, the whole model stays at its own opset. If the target does not run it there, `refused` and `check`
    name the node and the reason.
    Values that are still computed keep their names, and the `doc_string` of each new node names its rule.
    Raises `InputError` if `shapes` doesn't fit the model, or the model is not as ONNX defines models.
    """
    lowered = prepared(model, shapes or {})
    run = LoweringRun(target, onnx_opset(lowered), lowered.graph, choices or {})
    sites = SiteList(run) if list_sites else None
    fold_constants(lowered, run, inferred=True)
    applied, run.nodes = [], _nodes_by_op(lowered)
    for rule in rules:
        if run.nodes.keys().isdisjoint(rule.roots(target)) or (
            rule.FIDELITY == "approximate" and not allow_approximate
        ):
            continue
        if count := _apply(rule, lowered, run, sites):
            applied.append((rule.NAME, count, rule.FIDELITY))
            run.nodes = _nodes_by_op(lowered)
    passes.RemoveUnusedNodesPass()(lowered)  # a node that no output needs must not block the conversion
    _record_unsupported(lowered, run)
    converted = convert_opset(lowered, run)
    applied += [(CONTROL_FLOW_RULE, run.inlined, "exact"), (OPSET_RULE, converted or 0, "exact")]
    clean_up(lowered, target)
    restore_claims(lowered, model)
    result = ir.to_proto(lowered)
    store_raw(result, target)
    of_file = file_refusals(result, lowered, target)
    checked = check_ir(lowered, target, file_refusals=of_file)
    if converted is None and not checked:  # else the target runs every node at the model's own opset
        checked = check_ir(lowered, target, converted_refusal, file_refusals=of_file)
    if checked:
        require_whole(result, model)
    refused = _still_refused(lowered, run.refused)
    return Lowering(
        model=result,
        target=target,
        applied=pd.DataFrame([row for row in applied if row[1]], columns=["rule", "count", "fidelity"]),
        refused=refused.iloc[:0] if checked else refused,
        nodes_before=len(model.graph.node),
        nodes_after=len(lowered.graph),
        check=checked,
        declined=refused if checked else refused.iloc[:0],
        sites=tuple(sites.sites.values()) if sites else (),
    )


def _apply(rule: type[Rule], model: ir.Model, run: LoweringRun, sites: SiteList | None) -> int:
    """In place: apply a rule wherever it matches and return how often it did."""
    if rule.missing_ops(run.target):
        return 0
    instances = rule.instances(run)
    if not sites and not any(instance.may_be_needed() for instance in instances):  # a list has all that could apply
        return 0
    run.names = names_of_values(model)
    checks = [sites.check_of(instance) if sites else instance.check for instance in instances]
    count = RewriteRuleSet(
        [
            RewriteRule(instance.pattern, instance.write, check, name=rule.NAME)
            for instance, check in zip(instances, checks, strict=True)
        ]
    ).apply_to_model(model)
    if count:
        fold_constants(model, run)
    return count


def _nodes_by_op(model: ir.Model) -> dict[str, list[ir.Node]]:
    nodes: dict[str, list[ir.Node]] = {}
    for node in model.graph.all_nodes():
        nodes.setdefault(node.op_type, []).append(node)
    return nodes


def _record_unsupported(model: ir.Model, run: LoweringRun) -> None:
    """Read only: record each node that the target cannot run once converted, unless a rule's refusal names it."""
    named = {row.node for row in run.refused}
    for node in model.graph.all_nodes():
        name = node.name or node.op_type
        if name not in named and (reason := converted_refusal(node, run.target, run.opset)):
            run.refused.append(Refused(name, OPSET_RULE, reason))


def _still_refused(model: ir.Model, refused: Sequence[Refused]) -> pd.DataFrame:
    """Return the refusals of nodes that are still in the graph, each once."""
    left = {node.name for node in model.graph.all_nodes()}
    rows = [row for row in dict.fromkeys(refused) if row.node in left]
    return pd.DataFrame(rows, columns=list(Refused._fields))
