"""Ask a target about every node of a model: what it takes, what it lacks, and what it gets wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import onnx
import onnx_ir as ir
import pandas as pd

from fns_lab.opset.convert import convert
from fns_lab.opset.nodes import NodeError
from fns_lab.targets.limit_kinds import LIMIT_KINDS
from fns_lab.targets.target import Quirk, Target, matches

MODEL = "(model)"
"""Stands in the op column for what concerns the file as a whole."""


@dataclass(frozen=True)
class Check:
    """Whether a target runs a model as it stands. `table` has one row for each op, opset and reason."""

    target: Target
    table: pd.DataFrame

    def __bool__(self) -> bool:
        return bool(len(self.table)) and bool(self.table.supported.all())

    def __str__(self) -> str:
        if not len(self.table):
            return f"{self.target}: the model has no nodes"
        lacking = self.table[~self.table.supported]
        if not len(lacking):
            return f"{self.target}: all {self.table['count'].sum()} nodes are supported"
        file = [row["reason"] for row in lacking.to_dict("records") if row["op"] == MODEL]
        ops = ", ".join(f"{row['count']} {row['op']}" for row in lacking.to_dict("records") if row["op"] != MODEL)
        return f"{self.target}: not supported: {'; '.join([*file, *([ops] if ops else [])])}"

    def to_json(self) -> dict:
        """The object that `fns-lab check --json` prints."""
        return {"target": self.target.name, "supported": bool(self), "ops": self.table.to_dict("records")}


def check(model: onnx.ModelProto, target: Target) -> Check:
    """Check every node of `model`, as it stands, against `target`'s op table and quirks."""
    return check_ir(ir.from_proto(model), target)


def check_ir(model: ir.Model, target: Target, judge: Callable[[ir.Node, Target, int], str] | None = None) -> Check:
    """`check` for a model that is already in onnx_ir's form; `judge` (`refusal` unless given) says why a node fails."""
    opset, judge = model.graph.opset_imports.get("", 1), judge or refusal
    rows = [(MODEL, opset, False, reason) for reason in _model_refusals(model, target)]
    rows += [(n.op_type, opset, not (reason := judge(n, target, opset)), reason) for n in model.graph.all_nodes()]
    table = pd.DataFrame(rows, columns=["op", "opset", "supported", "reason"])
    table = table.groupby(["supported", "op", "opset", "reason"], sort=True).size().reset_index(name="count")
    return Check(target, table[["op", "opset", "count", "supported", "reason"]])


def refusal(node: ir.Node, target: Target, opset: int) -> str:
    """Why `target` cannot run `node`, written for `opset`; empty if it can."""
    if node.domain not in ("", "ai.onnx"):
        return f"the domain {node.domain} is not ONNX's own"
    selectors = target.selectors(node.op_type)
    if not selectors:
        return f"the {target.backend} backend has no {node.op_type}"
    if target.reads_as_opset and (reason := _misread(node, opset, target.reads_as_opset)):
        return reason
    if not target.takes(node.op_type, opset):
        return f"taken at opset {', '.join(selectors)}, the model has {opset}"
    return _quirk_refusal(node, target.quirks, opset)


def converted_refusal(node: ir.Node, target: Target, opset: int) -> str:
    """Why `target` cannot run `node` in the form of the opset that `lower` brings models to; empty if it can."""
    if node.domain not in ("", "ai.onnx"):
        return f"the domain {node.domain} is not ONNX's own"
    to_opset = min(opset, target.opset)
    try:
        form = convert(node, opset, to_opset)
    except NodeError as error:
        return str(error)
    if not target.takes(form.op_type, to_opset):
        return f"the {target.backend} backend has no {form.op_type} at opset {to_opset}"
    attributes = type(node.attributes)(form.attributes.values(), node)
    written = _Written(form.op_type, form.inputs, node.outputs, attributes)
    return _quirk_refusal(written, [quirk for quirk in target.quirks if quirk.kind in OF_THE_NODE], to_opset)


@dataclass(frozen=True)
class _Written:
    """A node in another form, as quirks look at it. It is in no graph, so that its inputs gain no use."""

    op_type: str
    inputs: Sequence[ir.Value | None]
    outputs: Sequence[ir.Value]
    attributes: Mapping[str, ir.Attr]


def runs_converted(node: ir.Node, target: Target, opset: int) -> bool:
    """Whether `target` runs `node` once it is written in the form of the opset that `lower` brings models to."""
    return not converted_refusal(node, target, opset)


def _quirk_refusal(node: ir.Node | _Written, quirks: Sequence[Quirk], opset: int) -> str:
    """The summary of the first quirk that touches `node`; empty if none does."""
    for quirk in quirks:
        if QUIRK_KINDS[quirk.kind](node, quirk, opset):
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
    return reasons


def _misread(node: ir.Node, opset: int, reads_as: int) -> str:
    try:
        form = convert(node, opset, reads_as)
    except NodeError as error:
        return f"is run as opset {reads_as}: {error}"
    said = {name: attribute.value for name, attribute in node.attributes.items()}
    changed = any(said.get(name) != attribute.value for name, attribute in form.attributes.items())
    if changed or form.op_type != node.op_type or form.inputs != tuple(node.inputs):
        return f"is run as opset {reads_as}, where {node.op_type} is written in another form"
    return ""


def _broken_op(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops


def _same_input_twice(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and repeated_input(node) is not None


def repeated_input(node: ir.Node) -> int | None:
    """The first input that a node made and that came before among the inputs of `node`, by its index."""
    for index, value in enumerate(node.inputs):
        if value is not None and value.producer() is not None and value in node.inputs[:index]:
            return index
    return None


def _shared_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and len(node.inputs[0].uses()) > 1


def _read_after(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    producer = node.inputs[0].producer() if node.inputs and node.inputs[0] is not None else None
    return node.op_type in quirk.ops and producer is not None and producer.op_type in quirk.after


def _read_after_alike(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and bool(made_after(node, quirk)) and not _broadcasts(node)


def made_after(node: ir.Node, quirk: Quirk) -> tuple[int, ...]:
    """The inputs of `node`, by index, that one of the ops `quirk.after` made."""
    producers = (value.producer() if value is not None else None for value in node.inputs)
    return tuple(i for i, producer in enumerate(producers) if producer is not None and producer.op_type in quirk.after)


def _broadcasts(node: ir.Node) -> bool:
    """Whether shapes are known to differ, or an operand is a single number, whose place cannot be mistaken."""
    shapes = [value.shape for value in node.inputs if value is not None and value.shape is not None]
    single = any(all(side == 1 for side in shape) for shape in shapes)
    return single or len({tuple(map(str, shape)) for shape in shapes}) > 1


def _reads_older_form(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and bool(_misread(node, opset, min(opset, quirk.opset)))


def _attribute(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and any(
        name in node.attributes and node.attributes[name].value in values for name, values in quirk.attributes.items()
    )


def _computed_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and any(
        value is not None and ir.convenience.get_const_tensor(value) is None for value in node.inputs[1:]
    )


def _batch_reduction(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Over three of four axes, the first among them, unless that one is known to be short."""
    if node.op_type not in quirk.ops:
        return False
    axes, shape = {axis % 4 for axis in _reduced_axes(node)}, node.inputs[0].shape
    if len(axes) != 3 or 0 not in axes:
        return False
    return shape is None or (len(shape) == 4 and not (isinstance(shape[0], int) and shape[0] <= quirk.samples))


def _reduced_axes(node: ir.Node) -> list[int]:
    """The axes of a reduction of any opset; none where they are all or computed."""
    if "axes" in node.attributes:
        return list(node.attributes["axes"].as_ints())
    tensor = ir.convenience.get_const_tensor(node.inputs[1]) if len(node.inputs) > 1 else None
    return [] if tensor is None else tensor.numpy().tolist()


def _auto_pad(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME")


def _batch(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and (node.inputs[0].shape is None or node.inputs[0].shape[0] != 1)


def _grouped(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and node.attributes.get_int("group", 1) > 1


def _grouped_wide(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    shape = node.inputs[1].shape if node.op_type in quirk.ops else None
    return _grouped(node, quirk, opset) and (shape is None or shape[1] != 1)


def _dilated(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and any(d != 1 for d in node.attributes.get_ints("dilations", []))


def _unshifted(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    if node.op_type not in quirk.ops:
        return False
    producer = node.inputs[0].producer()
    less = producer.inputs[1].producer() if producer is not None and producer.op_type == "Sub" else None
    return less is None or less.op_type != "ReduceMax" or less.inputs[0] is not producer.inputs[0]


def _indices(node: ir.Node, quirk: Quirk) -> ir.TensorProtocol | None:
    return ir.convenience.get_const_tensor(node.inputs[1]) if node.op_type in quirk.ops else None


def _negative_indices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    indices = _indices(node, quirk)
    return indices is not None and bool((indices.numpy() < 0).any())


def _scalar_indices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return node.op_type in quirk.ops and node.inputs[1].shape is not None and not len(node.inputs[1].shape)


def _rank(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    shape = node.inputs[0].shape if node.op_type in quirk.ops else None
    return shape is not None and len(shape) not in quirk.ranks


def _runner(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    return False


QUIRK_KINDS: dict[str, Callable[[ir.Node, Quirk, int], bool]] = {
    "broken-op": _broken_op,
    "same-input-twice": _same_input_twice,
    "shared-input": _shared_input,
    "read-after": _read_after,
    "read-after-alike": _read_after_alike,
    "reads-older-form": _reads_older_form,
    "attribute": _attribute,
    "computed-input": _computed_input,
    "batch-reduction": _batch_reduction,
    "auto-pad": _auto_pad,
    "batch": _batch,
    "grouped": _grouped,
    "grouped-wide": _grouped_wide,
    "dilated": _dilated,
    "unshifted": _unshifted,
    "negative-indices": _negative_indices,
    "scalar-indices": _scalar_indices,
    "rank": _rank,
    **LIMIT_KINDS,
    "runner": _runner,
}
"""Which nodes a quirk touches. `runner`: none, since the runner starts or feeds the engine in a way that avoids it."""

OF_THE_NODE = frozenset(QUIRK_KINDS) - {
    "same-input-twice", "shared-input", "read-after", "read-after-alike", "reads-older-form", "runner",
}  # fmt: skip
"""Kinds that a node has by itself, whatever is around it."""
