"""How ops are written at older opsets: one function per op that is written differently there and means the same.

onnx's version converter (1.23) converts a whole model at once and stops at the first op for which it has no adapter.
From opset 18 to 7 it knows Conv, LeakyRelu, ReduceSum, Softmax and Unsqueeze, and stops at 26 others that were tried,
Pad, Resize, Clip, Slice, MaxPool, ReduceMean, Relu and Add among them. onnxscript's converter only goes up. The table
here converts node by node, and each function raises the reason why it cannot convert its node.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import onnx_ir as ir

from fns_lab.opset.attention import mask_covers_keys
from fns_lab.opset.nodes import (
    axes_input,
    constant_input,
    fixed_size,
    from_the_front,
    full_pads,
    rank,
    required_constant,
    resize_scales,
    split_sizes,
    stated_axes,
)
from fns_lab.opset.pooling import plain_window, without_ceil_mode
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.opset.slicing import slice_attributes, slice_from_the_front
from fns_lab.opset.spec import (
    FLOAT32_MAX,
    Conversion,
    ConversionError,
    NodeSpec,
    float_attribute,
    new_constant,
    unmodified,
)


def _pad_attributes(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes) | {"pads": ir.AttrInt64s("pads", full_pads(node))}
    if (value := constant_input(node, 2)) is not None:
        attributes["value"] = float_attribute(node, "value", value)
    return NodeSpec("Pad", (node.inputs[0],), attributes)


def _reduce_attributes(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes)
    axes = axes_input(node, 1)
    if axes:
        attributes["axes"] = ir.AttrInt64s("axes", axes)
    elif "noop_with_empty_axes" in attributes and attributes["noop_with_empty_axes"].as_int():
        raise ConversionError(f"{node.op_type} without axes changes nothing here, but reduces all axes before opset 18")
    attributes.pop("noop_with_empty_axes", None)
    return NodeSpec(node.op_type, (node.inputs[0],), attributes)


def squeeze_attribute(node: ir.Node) -> NodeSpec:
    """State the axes of a Squeeze in an attribute, also those that it leaves out, if the shape says which they are."""
    shape, axes = None if node.inputs[0] is None else node.inputs[0].shape, stated_axes(node)
    if not axes and ("axes" in node.attributes or any(value is not None for value in node.inputs[1:])):
        raise ConversionError("Squeeze with an empty list of axes")
    if not axes:
        if shape is None or not shape.is_static():
            return unmodified(node)
        axes = [axis for axis, size in enumerate(shape) if size == 1]
    if any(axis < 0 for axis in axes):
        axes = [from_the_front(axis, rank(node)) for axis in axes]
    return NodeSpec("Squeeze", (node.inputs[0],), {"axes": ir.AttrInt64s("axes", sorted(axes))})


def unsqueeze_attribute(node: ir.Node) -> NodeSpec:
    """State the axes in an attribute, counted from the front of the output."""
    axes = node.attributes.get_ints("axes", None)
    stated = [int(axis) for axis in (required_constant(node, 1).reshape(-1) if axes is None else axes)]
    if any(axis < 0 for axis in stated):
        stated = [from_the_front(axis, rank(node) + len(stated)) for axis in stated]
    return NodeSpec("Unsqueeze", (node.inputs[0],), {"axes": ir.AttrInt64s("axes", sorted(stated))})


def _reshape_plain(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes)
    allow_zero = attributes.pop("allowzero", None)
    if allow_zero is not None and allow_zero.as_int() and (required_constant(node, 1) == 0).any():
        raise ConversionError("Reshape to a dimension of 0: before opset 14 a 0 copies the input's dimension")
    return NodeSpec("Reshape", tuple(node.inputs), attributes)


def _clip_attributes(node: ir.Node) -> NodeSpec:
    attributes, x = dict(_clip_in_order(node).attributes), node.inputs[0]
    if x is not None and x.dtype == ir.DataType.DOUBLE and None in (*node.inputs[1:], *[None] * (3 - len(node.inputs))):
        raise ConversionError("Clip of doubles without min or max clips to the range of float32 before opset 11")
    for index, name in ((1, "min"), (2, "max")):
        if (value := constant_input(node, index)) is not None:
            attributes[name] = float_attribute(node, name, value)
    return NodeSpec("Clip", (node.inputs[0],), attributes)


def _clip_in_order(node: ir.Node) -> NodeSpec:
    """Keep a Clip whose min is not above its max, which is defined from opset 12 on only."""
    low, high = constant_input(node, 1), constant_input(node, 2)
    if high is not None and (np.float64(-FLOAT32_MAX if low is None else low) > high).any():
        raise ConversionError("Clip with min above max is undefined before opset 12")
    return unmodified(node)


def _split_attribute(node: ir.Node) -> NodeSpec:
    attributes = {k: v for k, v in node.attributes.items() if k != "num_outputs"}
    attributes["split"] = ir.AttrInt64s("split", split_sizes(node))
    return NodeSpec("Split", (node.inputs[0],), attributes)


def _split_input(node: ir.Node) -> NodeSpec:
    if "num_outputs" not in node.attributes:
        return unmodified(node)
    attributes = {k: v for k, v in node.attributes.items() if k != "num_outputs"}
    return NodeSpec("Split", (node.inputs[0], new_constant(node, np.array(split_sizes(node)), "split")), attributes)


def _gemm_with_bias(node: ir.Node) -> NodeSpec:
    inputs = tuple(node.inputs)
    if len(inputs) < 3 or inputs[2] is None:
        dtype = next((value.dtype for value in inputs if value is not None and value.dtype is not None), None)
        if dtype is None:
            raise ConversionError("Gemm without C, and the element type of its inputs is unknown")
        inputs = (*inputs[:2], new_constant(node, np.zeros(1, dtype.numpy()), "no_bias"))
    return NodeSpec("Gemm", inputs, dict(node.attributes))


def _softmax_flattened(node: ir.Node) -> NodeSpec:
    """Keep a Softmax if only axes of size 1 follow its own: before opset 13 all from `axis` on are taken as one."""
    axis = from_the_front(node.attributes.get_int("axis", -1), rank(node))
    if axis != rank(node) - 1 and any(fixed_size(node.inputs[0], i) != 1 for i in range(axis + 1, rank(node))):
        raise ConversionError(f"{node.op_type} changed its meaning at opset 13, except along the last axis")
    return NodeSpec(node.op_type, tuple(node.inputs), {"axis": ir.AttrInt64("axis", axis)})


def _of_equal_shapes(node: ir.Node) -> NodeSpec:
    """Keep an op whose inputs have one shape: before opset 8 it does not broadcast."""
    shapes = {None if value is None or value.shape is None else tuple(value.shape) for value in node.inputs}
    if len(node.inputs) > 1 and (len(shapes) > 1 or any(map(_is_open, shapes))):
        raise ConversionError(f"the inputs of {node.op_type} differ in shape; it broadcasts only from opset 8 on")
    return unmodified(node)


def _is_open(shape: tuple[int | ir.SymbolicDim, ...] | None) -> bool:
    """Return whether two values that both have this shape may differ in size."""
    return shape is None or any(isinstance(size, ir.SymbolicDim) and size.value is None for size in shape)


def _dropout_off(node: ir.Node) -> NodeSpec:
    training = constant_input(node, 2)
    if training is not None and training.any():
        raise ConversionError("Dropout is in training mode")
    if len(node.outputs) > 1 and (node.outputs[1].uses() or node.outputs[1].is_graph_output()):
        raise ConversionError("the mask of Dropout is not defined without training before opset 12")
    return NodeSpec("Dropout", (node.inputs[0],), {})


def _upsample(node: ir.Node) -> NodeSpec:
    attributes = {"mode": ir.AttrString("mode", "nearest"), "scales": ir.AttrFloat32s("scales", resize_scales(node))}
    return NodeSpec("Upsample", (node.inputs[0],), attributes)


def _resize_all_inputs(node: ir.Node) -> NodeSpec:
    """Write the roi and the scales that are left out as constants without values: before opset 13 none is optional."""
    inputs = [*node.inputs, *[None] * max(0, 3 - len(node.inputs))]
    for index, name in ((1, "roi"), (2, "scales")):
        inputs[index] = inputs[index] or new_constant(node, np.zeros(0, np.float32), name)
    return NodeSpec("Resize", tuple(inputs), dict(node.attributes))


def _gather_from_the_front(node: ir.Node) -> NodeSpec:
    """Count constant indices from the front: before opset 11 they have no other count."""
    value = node.inputs[1]
    indices = None if value is None else ir.convenience.get_const_tensor(value)
    if indices is None or (indices.numpy() >= 0).all():
        return unmodified(node)
    axis = from_the_front(node.attributes.get_int("axis", 0), rank(node))
    numbers, size = indices.numpy(), fixed_size(node.inputs[0], axis)
    counted = np.where(numbers < 0, numbers + size, numbers).astype(numbers.dtype)
    return NodeSpec("Gather", (node.inputs[0], new_constant(node, counted, "indices")), dict(node.attributes))


def _one_hot_from_the_front(node: ir.Node) -> NodeSpec:
    """Keep a OneHot of constant indices that are not negative, with its axis counted from the front of the output."""
    if (required_constant(node, 0) < 0).any():
        raise ConversionError("OneHot of negative indices: before opset 11 they give rows that are off")
    axis = from_the_front(node.attributes.get_int("axis", -1), rank(node) + 1)
    return NodeSpec("OneHot", tuple(node.inputs), {"axis": ir.AttrInt64("axis", axis)})


def _conv_transpose_explicit(node: ir.Node) -> NodeSpec:
    """Keep a ConvTranspose that states its pads: those that it derives lie on the other side before opset 11."""
    if "output_shape" in node.attributes or node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        raise ConversionError("ConvTranspose derives its pads otherwise before opset 11")
    return unmodified(node)


def _quantize_by_scalar(node: ir.Node) -> NodeSpec:
    """Keep a quantization by one scale: before opset 13 there is none along an axis."""
    scale = node.inputs[1]
    if scale is None or scale.shape is None or len(scale.shape):
        raise ConversionError(f"{node.op_type} takes a scalar scale only before opset 13")
    return NodeSpec(node.op_type, tuple(node.inputs), {k: v for k, v in node.attributes.items() if k != "axis"})


def _roi_align_unshifted(node: ir.Node) -> NodeSpec:
    attributes = dict(node.attributes)
    mode = attributes.pop("coordinate_transformation_mode", None)
    if mode is None or mode.as_string() != "output_half_pixel":
        raise ConversionError("RoiAlign shifts by half a pixel from opset 16 on only")
    return NodeSpec("RoiAlign", tuple(node.inputs), attributes)


def _dft_axis(node: ir.Node) -> NodeSpec:
    axis = constant_input(node, 2)
    counted = from_the_front(-2 if axis is None else int(axis.item()), rank(node))
    return NodeSpec("DFT", tuple(node.inputs[:2]), dict(node.attributes) | {"axis": ir.AttrInt64("axis", counted)})


def _grid_sample_of_images(node: ir.Node) -> NodeSpec:
    if rank(node) != 4:
        raise ConversionError("GridSample takes images only before opset 20")
    mode = node.attributes.get_string("mode", "linear")
    older = {"linear": "bilinear", "cubic": "bicubic"}.get(mode, mode)
    return NodeSpec("GridSample", tuple(node.inputs), dict(node.attributes) | {"mode": ir.AttrString("mode", older)})


def _mod_of_kind(node: ir.Node) -> NodeSpec:
    dtype = None if node.inputs[0] is None else node.inputs[0].dtype
    if not node.attributes.get_int("fmod", 0) and (dtype is None or dtype.is_floating_point()):
        raise ConversionError("Mod with fmod 0 takes integers only before opset 28")
    return unmodified(node)


def _attention_of_all_keys(node: ir.Node) -> NodeSpec:
    if not mask_covers_keys(node):
        raise ConversionError("Attention takes a mask for some of the keys from opset 24 on only")
    return unmodified(node)


def _scan_from_the_front(node: ir.Node) -> NodeSpec:
    for name in ("scan_input_axes", "scan_output_axes"):
        if any(axis < 0 for axis in node.attributes.get_ints(name, [])):
            raise ConversionError(f"Scan has no negative {name} before opset 11")
    return unmodified(node)


REDUCTIONS = ("Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
"""Ops `ReduceX`, by their X."""

CONVERSIONS: Mapping[str, tuple[Conversion, ...]] = {
    "Pad": (Conversion(11, _pad_attributes),),
    **{f"Reduce{kind}": (Conversion(18, _reduce_attributes),) for kind in REDUCTIONS},
    "ReduceSum": (Conversion(13, _reduce_attributes),),
    "Squeeze": (Conversion(13, squeeze_attribute),),
    "Unsqueeze": (Conversion(11, unsqueeze_attribute), Conversion(13, unsqueeze_attribute)),
    "Reshape": (Conversion(14, _reshape_plain),),
    "Slice": (Conversion(10, slice_attributes), Conversion(11, slice_from_the_front)),
    "Clip": (Conversion(11, _clip_attributes), Conversion(12, _clip_in_order)),
    "Split": (Conversion(13, _split_attribute), Conversion(18, _split_input)),
    "Resize": (Conversion(10, _upsample), Conversion(13, _resize_all_inputs)),
    "Upsample": (Conversion(9, _upsample),),
    "MaxPool": (Conversion(10, without_ceil_mode), Conversion(22, plain_window)),
    "AveragePool": (
        Conversion(10, without_ceil_mode),
        Conversion(19, plain_window),
        Conversion(22, plain_window),
    ),
    "LpPool": (Conversion(18, plain_window), Conversion(22, plain_window)),
    "Gemm": (Conversion(11, _gemm_with_bias),),
    "Softmax": (Conversion(ONE_AXIS_SINCE, _softmax_flattened),),
    "LogSoftmax": (Conversion(ONE_AXIS_SINCE, _softmax_flattened),),
    "Hardmax": (Conversion(13, _softmax_flattened),),
    "Dropout": (Conversion(12, _dropout_off),),
    **{op: (Conversion(8, _of_equal_shapes),) for op in ("Sum", "Max", "Min", "Mean")},
    "Gather": (Conversion(11, _gather_from_the_front),),
    "OneHot": (Conversion(11, _one_hot_from_the_front),),
    "ConvTranspose": (Conversion(11, _conv_transpose_explicit),),
    "QuantizeLinear": (Conversion(13, _quantize_by_scalar),),
    "DequantizeLinear": (Conversion(13, _quantize_by_scalar),),
    "RoiAlign": (Conversion(16, _roi_align_unshifted),),
    "DFT": (Conversion(20, _dft_axis),),
    "GridSample": (Conversion(20, _grid_sample_of_images),),
    "Mod": (Conversion(28, _mod_of_kind),),
    "Attention": (Conversion(24, _attention_of_all_keys),),
    "Scan": (Conversion(11, _scan_from_the_front),),
}
"""By op type, the oldest change first: a function converts to any opset from the change before its own on.

An op that is missing here is written the same at every opset that has it, or cannot be converted.
"""
