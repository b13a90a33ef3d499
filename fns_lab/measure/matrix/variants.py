"""The three variants in which an engine gets a case: native, converted and lowered."""

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
    """A case as an engine gets it.

    - `model`: what runs; None where the case cannot be written at the target's opset, or `lower` refuses it
    - `supported`: whether the target's table supports it
    - `reason`: why not, or an empty string
    - `exact`: whether every rule that was applied is exact; others hold for finite inputs alone
    """

    model: ModelProto | None = field(repr=False)
    supported: bool
    reason: str
    exact: bool = True


BY_ONNX_CONVERTER = "written by onnx's version converter, which is not always right"
"""Note on a variant."""


def as_written(model: ModelProto, target: Target) -> Variant:
    """Return the case in a form that the target loads, otherwise unmodified."""
    unmodified = loadable(model, target)
    checked = check(unmodified, target)
    return Variant(unmodified, bool(checked), _first_reason(checked))


def native(model: ModelProto, target: Target) -> Variant:
    """Return the case converted to the target's opset by onnx's version converter; unmodified where that fails.

    The converter is not always right (a Softmax over the first axis, axes counted from the end), so that what it wrote
    counts as not supported, whatever the engine's result.
    """
    unmodified = as_written(model, target)
    if not unmodified.supported and models.opset(model) > target.opset:
        with contextlib.suppress(RuntimeError):  # no adapter for an op, or a model that its C++ cannot read
            return Variant(
                loadable(version_converter.convert_version(model, target.opset), target), False, BY_ONNX_CONVERTER
            )
    return unmodified


def converted(model: ModelProto, target: Target) -> Variant:
    """Return the case unmodified if the table supports it, else with each node converted and no rule applied."""
    unmodified = as_written(model, target)
    if unmodified.supported:
        return unmodified
    result = lower(model, target, rules=())
    if models.opset(result.model) > target.opset:
        return Variant(None, False, _reasons(result))
    return Variant(result.model, result.supported, _first_reason(result.check))


def lowered(model: ModelProto, target: Target) -> Variant:
    """Return the case after `lower`; without a model where the target does not support all of the result."""
    result = lower(model, target)
    if not result:
        return Variant(None, False, _reasons(result))
    return Variant(result.model, True, "", exact=bool((result.applied.fidelity == "exact").all()))


VARIANTS: Mapping[str, Callable[[ModelProto, Target], Variant]] = {
    "native": native,
    "converted": converted,
    "lowered": lowered,
}
"""Functions that make the variants of a model for a target, by name."""


def loadable(model: ModelProto, target: Target) -> ModelProto:
    """Return the same nodes as a model that the target loads: at its IR version, with initializers among the inputs."""
    copy = ir.from_proto(model)
    if not matches(target.ir_versions, copy.ir_version):
        copy.ir_version = target.ir_version
    if target.initializers_are_inputs:
        passes.AddInitializersToInputsPass()(copy)
    return ir.to_proto(copy)


def _reasons(result: Lowering) -> str:
    """Return why the opset could not be reached, else the first op that the target does not support."""
    return "; ".join(dict.fromkeys(result.refused.reason)) or _first_reason(result.check)


def _first_reason(checked: Check) -> str:
    missing = checked.table[~checked.table.supported]
    return "" if missing.empty else f"{missing.op.iloc[0]}: {missing.reason.iloc[0]}"
