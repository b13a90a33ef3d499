"""The variants in which a case meets an engine: as ONNX leaves it, converted to the engine's opset, and lowered."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import onnx_ir as ir
import onnx_ir.passes.common as passes
from onnx import ModelProto, version_converter

from fns_lab import models
from fns_lab.rewrite.lower import Lowering, lower
from fns_lab.targets import Check, Target, check
from fns_lab.targets.target import matches


@dataclass(frozen=True)
class Variant:
    """A case as an engine gets it. `supported` is what the target's table says of it; `reason`, why not.

    Without a `model` there is nothing to run: the case has no variant at that opset, or lowering would not write it.
    """

    model: ModelProto | None = field(repr=False)
    supported: bool
    reason: str


CONVERTED = "as onnx's version converter wrote it, for which the table does not answer"


def native(model: ModelProto, target: Target) -> Variant:
    """What ONNX itself makes of it: onnx's version converter to the target's opset, as it stands where that fails.

    The converter is not always right (a Softmax over the first axis, axes counted from the end), so that what it wrote
    counts as not supported, whatever the engine makes of it.
    """
    as_is = loadable(model, target)
    checked = check(as_is, target)
    if not checked and models.opset(model) > target.opset:
        with contextlib.suppress(RuntimeError):  # no adapter for an op, or a model that its C++ cannot read
            return Variant(loadable(version_converter.convert_version(model, target.opset), target), False, CONVERTED)
    return Variant(as_is, bool(checked), _first_reason(checked))


def converted(model: ModelProto, target: Target) -> Variant:
    """As it stands if the target's table takes that, else brought down to the target's opset, with no rule applied."""
    as_is = loadable(model, target)
    if check(as_is, target):
        return Variant(as_is, True, "")
    result = lower(model, target, rules=())
    if models.opset(result.model) > target.opset:
        return Variant(None, False, _reasons(result))
    return Variant(result.model, result.supported, _first_reason(result.check))


def lowered(model: ModelProto, target: Target) -> Variant:
    """After `lower`; without a model where the target does not run all of the result."""
    result = lower(model, target)
    return Variant(result.model, True, "") if result else Variant(None, False, _reasons(result))


VARIANTS: Mapping[str, Callable[[ModelProto, Target], Variant]] = {
    "native": native,
    "converted": converted,
    "lowered": lowered,
}


def loadable(model: ModelProto, target: Target) -> ModelProto:
    """The same nodes in a file that the target loads: its IR version, and initializers among the inputs."""
    made = ir.from_proto(model)
    if not matches(target.ir_versions, made.ir_version):
        made.ir_version = target.ir_version
    if target.initializers_are_inputs:
        passes.AddInitializersToInputsPass()(made)
    return ir.to_proto(made)


def _reasons(result: Lowering) -> str:
    """Why the opset could not be reached, else what the target still lacks."""
    return "; ".join(dict.fromkeys(result.refused.reason)) or _first_reason(result.check)


def _first_reason(checked: Check) -> str:
    lacking = checked.table[~checked.table.supported]
    return "" if lacking.empty else f"{lacking.op.iloc[0]}: {lacking.reason.iloc[0]}"
