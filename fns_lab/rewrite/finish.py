"""What happens to a model after the rules: the target's opset and IR version, and nothing that is not used."""

from __future__ import annotations

from collections.abc import Mapping

import onnx
import onnx_ir as ir
import onnx_ir.passes.common as passes
from onnx import numpy_helper
from onnxscript.rewriter import RULE_NAME_TAG

from fns_lab import weights
from fns_lab.errors import InputError, one_line
from fns_lab.models import INITIALIZERS_APART_SINCE, RULE_PREFIX, fed_inputs, is_typed, tensors
from fns_lab.opset.convert import convert
from fns_lab.opset.domain import onnx_opset
from fns_lab.opset.inference import has_other_rank
from fns_lab.opset.nodes import NodeError
from fns_lab.opset.schemas import schema
from fns_lab.rewrite.rule import LoweringRun
from fns_lab.rewrite.values import names_of_values, unused_name
from fns_lab.targets import Target
from fns_lab.targets.quirk_kinds import touches

NODE_METADATA_SINCE = 10
"""IR version from which nodes and values may have metadata."""
NAMED_BESIDE: Mapping[str, tuple[str, ...]] = {
    "past-without-present": ("present_key", "present_value"),
    "single-output": ("last",),
}
"""By kind of quirk, what a node must name as its second and third output for the first to be right."""
OPSET_RULE = "opset"
"""Stands in the tables `applied` and `refused` for converting nodes to the target's opset."""


def convert_opset(model: ir.Model, run: LoweringRun) -> int | None:
    """In place: convert all nodes to the target's opset, unless it is higher, and return how many changed.

    Returns None, with the model unmodified, if a node can't be converted.
    """
    to_opset = min(run.opset, run.target.opset)
    try:
        converted = {node: convert(node, run.opset, to_opset) for node in model.graph.all_nodes()}
    except NodeError:
        return None
    model.graph.opset_imports[""] = to_opset
    changed, names = 0, names_of_values(model)
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
                value.name = unused_name(value.name or "constant", names)
                model.graph.register_initializer(value)
            node.replace_input_with(index, value)
        node.attributes.clear()
        node.attributes.update(spec.attributes)
    return changed


def clean_up(model: ir.Model, target: Target) -> None:
    """In place: remove what is unused, set the IR version, and name the rule of each new node in its `doc_string`.

    Outputs that nothing reads stay, or are added, where the target needs them beside others.
    """
    passes.RemoveUnusedNodesPass()(model)
    _name_outputs(model, target)
    passes.RemoveUnusedOpsetsPass()(model)
    passes.DeduplicateInitializersPass()(model)
    passes.NameFixPass()(model)
    _restore_required_inputs(model)
    model.ir_version = min(model.ir_version, target.ir_version)
    for node in model.graph.all_nodes():
        if rule := node.metadata_props.get(RULE_NAME_TAG):
            node.doc_string = RULE_PREFIX + rule
    if model.ir_version < NODE_METADATA_SINCE:
        _remove_metadata(model)
    if target.initializers_are_inputs or model.ir_version < INITIALIZERS_APART_SINCE:
        passes.AddInitializersToInputsPass()(model)


def _restore_required_inputs(model: ir.Model) -> None:
    """In place: give each node the fewest inputs that its op takes; a Loop without a condition has an empty one.

    Removing what is unused has removed empty inputs from the end.
    """
    for node in model.graph.all_nodes():
        if node.domain == "" and (op := schema(node.op_type, onnx_opset(model))):
            node.resize_inputs(max(len(node.inputs), op.min_input))


def _name_outputs(model: ir.Model, target: Target) -> None:
    """In place: give each node those of `NAMED_BESIDE` as outputs that the target needs and the node does not name."""
    quirks = [quirk for quirk in target.quirks if quirk.kind in NAMED_BESIDE]
    if not quirks:
        return
    names = names_of_values(model)
    for node in model.graph.all_nodes():
        for quirk in quirks:
            if touches(node, quirk, onnx_opset(model)):
                others = NAMED_BESIDE[quirk.kind]
                node.resize_outputs(max(1 + len(others), len(node.outputs)))
                for output, what in zip(node.outputs[1:], others, strict=False):
                    output.name = output.name or unused_name(f"{node.outputs[0].name}.{what}", names)


def _remove_metadata(model: ir.Model) -> None:
    """In place: remove the metadata of nodes and values."""
    for node in model.graph.all_nodes():
        node.metadata_props.clear()
        for value in node.outputs:
            value.metadata_props.clear()
    for value in (*model.graph.inputs, *model.graph.initializers.values()):
        value.metadata_props.clear()


def restore_claims(model: ir.Model, original: onnx.ModelProto) -> None:
    """In place: declare of each graph output what the original file does, where nothing follows from the inputs."""
    for value, declared in zip(model.graph.outputs, original.graph.output, strict=True):
        claim = ir.serde.deserialize_value_info_proto(declared, None)
        if value.type is None:
            value.type = claim.type
        if claim.shape is None or value in model.graph.inputs or has_other_rank(value, claim.shape):
            continue
        if value.shape is None:
            value.shape = claim.shape
        elif len(value.shape) == len(claim.shape):
            pairs = zip(value.shape, claim.shape, strict=True)
            value.shape = ir.Shape([size if _is_known(size) or isinstance(old, int) else old for size, old in pairs])


def store_raw(result: onnx.ModelProto, target: Target) -> None:
    """In place: move the numbers of constants to `raw_data`, for a target that reads them wrong in other fields."""
    if "typed constants" not in target.refuses:
        return
    for _, tensor in tensors(result):
        if is_typed(tensor):
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor), tensor.name))


def require_whole(result: onnx.ModelProto, original: onnx.ModelProto) -> None:
    """Raise `InputError` if the lowered model has other inputs or outputs, or onnx's checker refuses it.

    An input that was not there is a weight that was lost on the way. If the checker refuses the original too, that is
    what is wrong; if not, it is a fault of a rule.
    """
    new = set(fed_inputs(result)) - set(fed_inputs(original))
    given, wanted = ([output.name for output in model.graph.output] for model in (result, original))
    if new or given != wanted:
        what = f"its weight {min(new)!r} is lost" if new else f"its outputs {wanted} became {given}"
        raise InputError(f"the model can't be lowered: {what}")
    if (refused := checkers_refusal(result)) and not checkers_refusal(original):
        raise RuntimeError(f"a rule wrote what ONNX does not allow: {refused}")
    if refused:
        raise InputError(f"the model is not as ONNX defines models: {refused}")


def checkers_refusal(model: onnx.ModelProto) -> str:
    """Return why onnx's checker refuses a model, empty if it does not, or can't read it whole.

    A deprecated op, such as the GroupNormalization of opset 18, is no reason: whether it runs is the target's to say.
    Nor is a value of unknown rank, which runtimes take.
    """
    checked = _without_weights(model)
    if checked.ByteSize() > weights.LARGEST_MESSAGE:
        return ""
    for value in (*checked.graph.input, *checked.graph.output):
        if value.type.HasField("tensor_type"):
            value.type.tensor_type.shape.SetInParent()
    try:
        onnx.checker.check_model(checked)
    except onnx.checker.ValidationError as error:
        return "" if "is deprecated in domain_version" in str(error) else one_line(error)
    return ""


def _without_weights(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a copy whose initializers have no elements, for a checker that does not look at their values."""
    graph = model.graph
    copy = onnx.ModelProto(ir_version=model.ir_version, opset_import=model.opset_import, functions=model.functions)
    copy.graph.name = graph.name
    for field in ("node", "input", "output", "value_info", "sparse_initializer"):
        getattr(copy.graph, field).extend(getattr(graph, field))
    for tensor in graph.initializer:
        copy.graph.initializer.add(name=tensor.name, data_type=tensor.data_type, dims=[0])
    return copy


def _is_known(size: int | ir.SymbolicDim) -> bool:
    return isinstance(size, int) or size.value is not None
