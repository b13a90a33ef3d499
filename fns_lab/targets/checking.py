"""Check a model against a target: which nodes it supports as they are written, and why not the others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import onnx
import onnx_ir as ir
import pandas as pd

from fns_lab.models import ONNX_DOMAINS, op_name
from fns_lab.opset.convert import convert, is_written_alike, schema
from fns_lab.opset.definitions import node_errors
from fns_lab.opset.domain import onnx_opset
from fns_lab.opset.inference import infer_anew
from fns_lab.opset.nodes import NodeError
from fns_lab.opset.reading import read_graph
from fns_lab.opset.schemas import unnamed_required_output
from fns_lab.opset.spec import NodeSpec
from fns_lab.targets.element_types import type_refusal
from fns_lab.targets.file_faults import FILE_FAULTS
from fns_lab.targets.quirk_kinds import SOLVED_WITHOUT_RULES, touches
from fns_lab.targets.target import EVERY_OP, Quirk, Target, matches

MODEL = "(model)"
"""Stands in the op column for what concerns the file as a whole."""


@dataclass(frozen=True)
class Check:
    """Whether a target supports a model unmodified. True if it has nodes and the target supports them all.

    `table` has one row per op and reason:

    - `op`: the op type, such as `Conv` or `com.microsoft::FusedConv`, or `(model)` where the reason concerns the file
    - `opset`: the opset of the model
    - `count`: the number of these nodes
    - `supported`: whether the target runs them as they are written
    - `reason`: why not; empty if it does
    """

    target: Target
    table: pd.DataFrame

    def __bool__(self) -> bool:
        return bool(len(self.table)) and bool(self.table.supported.all())

    def __str__(self) -> str:
        if not len(self.table):
            return f"{self.target.label}: the model has no nodes"
        unsupported = self.table[~self.table.supported].to_dict("records")
        if not unsupported:
            count = int(self.table["count"].sum())
            nodes = "its one node is" if count == 1 else f"all {count} nodes are"
            return f"{self.target.label}: {nodes} supported{self._fallback()}"
        reasons = [row["reason"] for row in unsupported if row["op"] == MODEL]
        ops = ", ".join(f"{row['count']} {row['op']}" for row in unsupported if row["op"] != MODEL)
        return f"{self.target.label}: not supported: {'; '.join([*reasons, *([ops] if ops else [])])}"

    def _fallback(self) -> str:
        """Return which of the ops the CPU computes though the backend is a GPU's, empty if none."""
        rows = self.table.to_dict("records")
        ops = [f"{row['count']} {row['op']}" for row in rows if self.target.leaves_to_cpu(row["op"], row["opset"])]
        return f"; on the CPU: {', '.join(ops)}" if ops else ""

    @property
    def undefined_values(self) -> dict[str, list[str]]:
        """The values for which the target leaves the results of ops of the model open, as `Target.undefined_for`."""
        return self.target.undefined_for(set(self.table.op))

    def to_json(self) -> dict[str, Any]:
        """Return the object that `fns-lab check --json` prints."""
        left_open = [{"op": op, "values": values} for op, values in self.undefined_values.items()]
        ops = self.table.to_dict("records")
        return {"target": self.target.name, "supported": bool(self), "ops": ops, "undefined_values": left_open}


def check(model: onnx.ModelProto, target: Target) -> Check:
    """Compare every node of `model`, unmodified, with `target`'s op table and quirks.

    Its inner shapes and types are those that follow from the inputs, whatever the file states.
    """
    copied = read_graph(model)
    infer_anew(copied)
    return check_ir(copied, target, file_refusals=file_refusals(model, copied, target))


def file_refusals(model: onnx.ModelProto, inferred: ir.Model, target: Target) -> list[str]:
    """Return why `target` does not load the file of a model whose nodes it may run.

    `inferred` is the same model with the types and shapes that follow from its inputs.
    """
    return [reason for fault in target.refuses for reason in FILE_FAULTS[fault](model, inferred)]


def check_ir(
    model: ir.Model,
    target: Target,
    why_unsupported: Callable[[ir.Node, Target, int], str] | None = None,
    *,
    file_refusals: Sequence[str] = (),
) -> Check:
    """Return the `Check` of a model of onnx_ir.

    - `why_unsupported` (`refusal` unless given) returns why the target cannot run a node, empty if it can
    - `file_refusals`: why the target does not load the file, as the function of this name returns it
    """
    opset, reason_of = onnx_opset(model), why_unsupported or refusal
    rows = [(False, MODEL, opset, reason) for reason in (*_model_refusals(model, target), *file_refusals)]
    for node in _every_node(model):
        is_call = node.op_identifier() in model.functions
        reason = _call_refusal(node, target) if is_call else reason_of(node, target, opset)
        rows.append((not reason, op_name(node), opset, reason))
    counted = [(op, opset, count, good, reason) for (good, op, opset, reason), count in sorted(Counter(rows).items())]
    return Check(target, pd.DataFrame(counted, columns=["op", "opset", "count", "supported", "reason"]))


def refusal(node: ir.Node, target: Target, opset: int) -> str:
    """Return why `target` cannot run `node`, written for `opset`; empty if it can."""
    try:
        with node_errors(node.op_type):
            return _refusal(node, target, opset)
    except NodeError as error:
        return str(error)


def _refusal(node: ir.Node, target: Target, opset: int) -> str:
    if node.domain not in ONNX_DOMAINS:
        return _foreign_refusal(node, target)
    selectors = target.selectors(node.op_type)
    if not selectors:
        return f"the {target.backend} backend has no {node.op_type}"
    if node.op_type not in target.ops and schema(node.op_type, opset) is None:
        return f"ONNX has no {node.op_type} at opset {opset}"
    if target.reads_as_opset and (reason := _why_misread(node, opset, target.reads_as_opset)):
        return reason
    if (unnamed := unnamed_required_output(node, opset)) is not None:
        return f"its output {unnamed}, which ONNX requires, has no name"
    if not target.takes(node.op_type, opset):
        return f"supported at opset {', '.join(selectors)}; the model has opset {opset}"
    return type_refusal(node, target, opset) or _quirk_refusal(node, target.quirks_of(node.op_type), opset)


def _every_node(model: ir.Model) -> Iterator[ir.Node]:
    """Yield the nodes of the graph and of its functions, with those inside If, Loop and Scan."""
    yield from model.graph.all_nodes()
    for function in model.functions.values():
        yield from function.all_nodes()


def _call_refusal(node: ir.Node, target: Target) -> str:
    """Return why `target` cannot run a call of one of the model's functions; empty if it can."""
    return "" if target.runs_functions else f"{op_name(node)} is a function of the model; the runtime knows none"


def _foreign_refusal(node: ir.Node, target: Target) -> str:
    """Return why `target` cannot run a node of another domain than ONNX's own; empty if it can."""
    known = node.op_type in target.domains.get(node.domain, ())
    return "" if known else f"{op_name(node)}: the target has no such op"


def converted_refusal(node: ir.Node, target: Target, opset: int) -> str:
    """Return why `target` cannot run `node` once it is converted to the target's opset; empty if it can."""
    try:
        with node_errors(node.op_type):
            return _converted_refusal(node, target, opset)
    except NodeError as error:
        return str(error)


def _converted_refusal(node: ir.Node, target: Target, opset: int) -> str:
    if node.domain not in ONNX_DOMAINS:
        return _foreign_refusal(node, target)
    to_opset = min(opset, target.opset)
    spec = convert(node, opset, to_opset)
    if not target.takes(spec.op_type, to_opset):
        return f"the {target.backend} backend has no {spec.op_type} at opset {to_opset}"
    if to_opset < (target.reads_as_opset or 0) and (reason := _why_misread(node, opset, target.reads_as_opset or 0)):
        return reason
    detached = as_converted(node, spec)
    if target.reads_as_opset and (reason := _why_misread(detached, to_opset, target.reads_as_opset)):
        return reason
    quirks = [quirk for quirk in target.quirks_of(spec.op_type) if quirk.kind not in SOLVED_WITHOUT_RULES]
    return type_refusal(detached, target, to_opset) or _quirk_refusal(detached, quirks, to_opset)


@dataclass(frozen=True)
class _DetachedNode:
    """What quirks read of a node. An `ir.Node` would count as a use of its inputs, although it is in no graph."""

    op_type: str
    inputs: Sequence[ir.Value | None]
    outputs: Sequence[ir.Value]
    attributes: Mapping[str, ir.Attr]
    graph: ir.Graph | ir.Function | None
    domain: str = ""


def as_converted(node: ir.Node, spec: NodeSpec) -> ir.Node:
    """Return `node` as `spec` writes it, for quirks to look at: it stands where `node` does but is in no graph."""
    attributes = type(node.attributes)(spec.attributes.values(), node)
    return cast("ir.Node", _DetachedNode(spec.op_type, spec.inputs, node.outputs, attributes, node.graph))


def runs_converted(node: ir.Node, target: Target, opset: int) -> bool:
    """Return whether `target` runs `node` once it is converted to the target's opset."""
    return not converted_refusal(node, target, opset)


def _quirk_refusal(node: ir.Node, quirks: Sequence[Quirk], opset: int) -> str:
    """Return the summary and source of the first quirk that touches `node`; empty if none does."""
    for quirk in quirks:
        if touches(node, quirk, opset):
            return f"{quirk.summary} ({quirk.source})"
    return ""


def _model_refusals(model: ir.Model, target: Target) -> list[str]:
    reasons = []
    if not matches(target.ir_versions, model.ir_version):
        reasons.append(f"IR version {model.ir_version}, the runtime loads {target.ir_versions}")
    if target.initializers_are_inputs:
        inputs = {value.name for value in model.graph.inputs}
        if any(name not in inputs for name in model.graph.initializers):
            reasons.append("initializers must be graph inputs as well")
    for verb, values in (("fed", model.graph.inputs), ("returned", model.graph.outputs)):
        for value in values:
            if value.dtype is not None and value.dtype.name in target.unfed_types:
                reasons.append(f"{value.name} is of {value.dtype.name.lower()}, which cannot be {verb}")
    if any(quirk.kind == "empty-value" and EVERY_OP in quirk.ops for quirk in target.quirks):
        reasons += [f"{value.name} has no elements" for value in model.graph.inputs if 0 in (value.shape or ())]
    return reasons


def _why_misread(node: ir.Node, opset: int, reads_as: int) -> str:
    try:
        if is_written_alike(node, opset, reads_as):
            return ""
    except NodeError as error:
        return f"is read as of opset {reads_as}: {error}"
    return f"is read as of opset {reads_as}, where {node.op_type} is written differently"
