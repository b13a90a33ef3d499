"""What a node means at another opset: the same form, another form with the same result, or nothing.

onnx's version converter has no way down for the ops that matter here (Pad and Resize from 18), so this table has.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir


class CannotCarry(Exception):
    """The node has no form at that opset; the message says why."""


@dataclass(frozen=True)
class Form:
    """How a node is written at some opset: op type, inputs, and attributes by name."""

    op_type: str
    inputs: tuple[ir.Value | None, ...]
    attributes: Mapping[str, ir.Attr] = field(default_factory=dict)


def carry(node: ir.Node, opset: int, to_opset: int) -> Form:
    """The form of `node`, written for `opset`, that gives the same result at `to_opset`.

    Raises `CannotCarry` when there is none.
    """
    form = Form(node.op_type, tuple(node.inputs), dict(node.attributes))
    if opset == to_opset or node.domain not in ("", "ai.onnx"):
        return form
    if (convert := _CONVERSIONS.get(node.op_type)) and to_opset < convert.below:
        form = convert.function(node)
    form = Form(form.op_type, form.inputs, _without_defaults(form, opset, to_opset))
    _refuse_unless_valid(form, opset, to_opset)
    return form


def schema(op_type: str, opset: int) -> onnx.defs.OpSchema | None:
    """The schema in force for `op_type` at `opset`, None if there is none or it is deprecated there."""
    try:
        found = onnx.defs.get_schema(op_type, opset, "")
    except onnx.defs.SchemaError:
        return None
    return None if found.deprecated else found


MEANING_CHANGED_AT = {
    "Softmax": 13,
    "LogSoftmax": 13,
    "Hardmax": 13,
    "BatchNormalization": 7,
    "Add": 7,
    "Sub": 7,
    "Mul": 7,
    "Div": 7,
    "Pow": 7,
    "And": 7,
    "Or": 7,
    "Xor": 7,
    "Equal": 7,
    "Less": 7,
    "Greater": 7,
    "PRelu": 7,
    "Gemm": 7,
}
"""Ops whose inputs and attributes look alike on both sides of this opset and mean something else."""


def _refuse_unless_valid(form: Form, opset: int, to_opset: int) -> None:
    there = schema(form.op_type, to_opset)
    if there is None:
        raise CannotCarry(f"{form.op_type} does not exist at opset {to_opset}")
    changed_at = MEANING_CHANGED_AT.get(form.op_type, 0)
    if to_opset < changed_at <= opset:
        raise CannotCarry(f"{form.op_type} changed its meaning at opset {changed_at}")
    if there.since_version == getattr(schema(form.op_type, opset), "since_version", None):
        return
    if unknown := sorted(set(form.attributes) - set(there.attributes)):
        raise CannotCarry(f"{form.op_type} has no attribute {unknown[0]!r} at opset {to_opset}")
    if missing := sorted(n for n, a in there.attributes.items() if a.required and n not in form.attributes):
        raise CannotCarry(f"{form.op_type} wants the attribute {missing[0]!r} at opset {to_opset}")
    given = len(form.inputs)
    if not there.min_input <= given <= there.max_input:
        raise CannotCarry(f"{form.op_type} with {given} inputs does not exist at opset {to_opset}")
    if to_opset < 11 and any(a.name in ("axis", "axes") and _is_negative(a) for a in form.attributes.values()):
        raise CannotCarry(f"{form.op_type} takes no negative axis before opset 11")
    if to_opset < 11 and form.op_type == "Gather" and _has_negative_constant(form.inputs[1]):
        raise CannotCarry("Gather takes no negative indices before opset 11")


def _is_negative(attribute: ir.Attr) -> bool:
    return min(attribute.as_ints() if attribute.type == ir.AttributeType.INTS else [attribute.as_int()], default=0) < 0


def _has_negative_constant(value: ir.Value) -> bool:
    tensor = ir.convenience.get_const_tensor(value)
    return tensor is not None and bool((tensor.numpy() < 0).any())


def _without_defaults(form: Form, opset: int, to_opset: int) -> dict[str, ir.Attr]:
    """Leave out attributes that are unknown at `to_opset` and hold their default, which is what the older op did."""
    here, there = schema(form.op_type, opset), schema(form.op_type, to_opset)
    if here is None or there is None:
        return dict(form.attributes)
    return {
        name: attribute
        for name, attribute in form.attributes.items()
        if name in there.attributes or not _is_default(here, attribute)
    }


def _is_default(op: onnx.defs.OpSchema, attribute: ir.Attr) -> bool:
    if attribute.name not in op.attributes:
        return False
    default = op.attributes[attribute.name].default_value
    return default.type != onnx.AttributeProto.UNDEFINED and ir.from_proto(default).value == attribute.value


@dataclass(frozen=True)
class _Conversion:
    """Below this opset, write the node as `function` says."""

    below: int
    function: Callable[[ir.Node], Form]


def constant(node: ir.Node, index: int) -> np.ndarray | None:
    """The value of a constant input, None if the node has no such input. Raises `CannotCarry` if it is computed."""
    value = node.inputs[index] if index < len(node.inputs) else None
    if value is None:
        return None
    tensor = ir.convenience.get_const_tensor(value)
    if tensor is None:
        raise CannotCarry(f"input {index} ({value.name}) of {node.op_type} is computed, older opsets want a constant")
    return tensor.numpy()


def rank(node: ir.Node) -> int:
    """Dimensions of the first input. Raises `CannotCarry` when unknown."""
    shape = node.inputs[0].shape
    if shape is None:
        raise CannotCarry(f"the shape of {node.inputs[0].name} is unknown")
    return len(shape)


def _axes(node: ir.Node, index: int) -> list[int] | None:
    axes = constant(node, index)
    return None if axes is None else [int(a) % rank(node) for a in axes.reshape(-1)]


def full_pads(node: ir.Node) -> list[int]:
    """The pads of a Pad node of any opset, begin then end, one of each per axis. Raises `CannotCarry`."""
    if "pads" in node.attributes:
        return list(node.attributes["pads"].as_ints())
    given, axes = constant(node, 1).tolist(), _axes(node, 3)
    if axes is None:
        return given
    pads = [0] * (2 * rank(node))
    for i, axis in enumerate(axes):
        pads[axis], pads[axis + rank(node)] = given[i], given[i + len(axes)]
    return pads


def _pad_attributes(node: ir.Node) -> Form:
    attributes = dict(node.attributes) | {"pads": ir.AttrInt64s("pads", full_pads(node))}
    if (value := constant(node, 2)) is not None:
        attributes["value"] = ir.AttrFloat32("value", float(value.item()))
    return Form("Pad", (node.inputs[0],), attributes)


def _reduce_attributes(node: ir.Node) -> Form:
    attributes = dict(node.attributes)
    axes = _axes(node, 1)
    if axes:
        attributes["axes"] = ir.AttrInt64s("axes", axes)
    elif "noop_with_empty_axes" in attributes and attributes["noop_with_empty_axes"].as_int():
        raise CannotCarry(f"{node.op_type} without axes does nothing here and reduces all before opset 18")
    attributes.pop("noop_with_empty_axes", None)
    return Form(node.op_type, (node.inputs[0],), attributes)


def _axes_attribute(node: ir.Node) -> Form:
    axes = constant(node, 1)
    attributes = dict(node.attributes)
    if axes is not None:
        extra = axes.size if node.op_type == "Unsqueeze" else 0
        attributes["axes"] = ir.AttrInt64s("axes", [int(a) % (rank(node) + extra) for a in axes.reshape(-1)])
    return Form(node.op_type, (node.inputs[0],), attributes)


def _reshape_plain(node: ir.Node) -> Form:
    attributes = dict(node.attributes)
    allow_zero = attributes.pop("allowzero", None)
    if allow_zero is not None and allow_zero.as_int() and (constant(node, 1) == 0).any():
        raise CannotCarry("Reshape to a side of 0: before opset 14 a 0 keeps the side as it was")
    return Form("Reshape", tuple(node.inputs), attributes)


INT32_MAX = np.iinfo(np.int32).max


def _slice_attributes(node: ir.Node) -> Form:
    if "starts" in node.attributes:
        return Form("Slice", tuple(node.inputs), dict(node.attributes))
    starts, ends, axes, steps = (constant(node, i) for i in (1, 2, 3, 4))
    if steps is not None and (steps != 1).any():
        raise CannotCarry("Slice takes no steps before opset 10")
    axes = list(range(len(starts))) if axes is None else _axes(node, 3)
    clip = functools.partial(np.clip, a_min=-INT32_MAX, a_max=INT32_MAX)
    values = {"starts": clip(starts).tolist(), "ends": clip(ends).tolist(), "axes": axes}
    return Form("Slice", (node.inputs[0],), {k: ir.AttrInt64s(k, v) for k, v in values.items()})


def _clip_attributes(node: ir.Node) -> Form:
    attributes = dict(node.attributes)
    for index, name in ((1, "min"), (2, "max")):
        if (value := constant(node, index)) is not None:
            attributes[name] = ir.AttrFloat32(name, float(value.item()))
    if {"min", "max"} <= set(attributes) and attributes["min"].as_float() > attributes["max"].as_float():
        raise CannotCarry("Clip with min above max means nothing before opset 12")
    return Form("Clip", (node.inputs[0],), attributes)


def _split_attribute(node: ir.Node) -> Form:
    attributes = {k: v for k, v in node.attributes.items() if k != "num_outputs"}
    if (sizes := constant(node, 1)) is not None:
        attributes["split"] = ir.AttrInt64s("split", sizes.tolist())
    elif "num_outputs" in node.attributes and not _splits_evenly(node):
        raise CannotCarry("Split into unequal parts of its own choice does not exist before opset 18")
    return Form("Split", (node.inputs[0],), attributes)


def _splits_evenly(node: ir.Node) -> bool:
    axis = node.attributes.get_int("axis", 0)
    side = None if node.inputs[0].shape is None else node.inputs[0].shape[axis]
    return isinstance(side, int) and side % len(node.outputs) == 0


def resize_scales(node: ir.Node) -> list[float]:
    """Scales of a Resize or Upsample node that repeats pixels, one per axis.

    Raises `CannotCarry` if it does anything but repeat each pixel a whole number of times.
    """
    attributes = node.attributes
    if attributes.get_string("mode", "nearest") != "nearest":
        raise CannotCarry(f"{node.op_type} in mode {attributes.get_string('mode', '')}")
    if "scales" in attributes:
        scales = list(attributes["scales"].as_floats())
    else:
        scales = _resize_input_scales(node)
    if any(s < 1 or s != int(s) for s in scales):
        raise CannotCarry(f"{node.op_type} by {scales}, not by whole numbers")
    ways = (
        attributes.get_string("coordinate_transformation_mode", "half_pixel"),
        attributes.get_string("nearest_mode", "round_prefer_floor"),
    )
    if node.op_type == "Resize" and ways not in REPEATING:
        raise CannotCarry(f"Resize with coordinates {ways[0]} and rounding {ways[1]}")
    return scales


REPEATING = (("asymmetric", "floor"), ("half_pixel", "round_prefer_floor"), ("half_pixel", "round_prefer_ceil"))
"""Resize modes in which a whole scale s repeats each pixel: floor(i / s); round((i + 0.5) / s - 0.5), free of ties."""


def _resize_input_scales(node: ir.Node) -> list[float]:
    if node.op_type == "Upsample" or len(node.inputs) == 2:
        return constant(node, 1).tolist()
    axes = node.attributes.get("axes")
    scales, sizes = constant(node, 2), constant(node, 3)
    if scales is None or not len(scales):
        if sizes is None or axes is not None or node.inputs[0].shape is None or not node.inputs[0].shape.is_static():
            raise CannotCarry("Resize to sizes of an input whose own size is not fixed")
        scales = sizes / np.array(node.inputs[0].shape.numpy())
    if axes is None:
        return scales.tolist()
    full = [1.0] * rank(node)
    for axis, scale in zip(axes.as_ints(), scales, strict=True):
        full[axis] = float(scale)
    return full


def _upsample(node: ir.Node) -> Form:
    attributes = {"mode": ir.AttrString("mode", "nearest"), "scales": ir.AttrFloat32s("scales", resize_scales(node))}
    return Form("Upsample", (node.inputs[0],), attributes)


_CONVERSIONS = {
    "Pad": _Conversion(11, _pad_attributes),
    **{
        f"Reduce{kind}": _Conversion(18, _reduce_attributes)
        for kind in ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    },
    "ReduceSum": _Conversion(13, _reduce_attributes),
    "Squeeze": _Conversion(13, _axes_attribute),
    "Unsqueeze": _Conversion(13, _axes_attribute),
    "Reshape": _Conversion(14, _reshape_plain),
    "Slice": _Conversion(10, _slice_attributes),
    "Clip": _Conversion(11, _clip_attributes),
    "Split": _Conversion(13, _split_attribute),
    "Resize": _Conversion(10, _upsample),
    "Upsample": _Conversion(9, _upsample),
}
