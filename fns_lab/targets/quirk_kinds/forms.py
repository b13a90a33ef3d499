"""Kinds of quirk for a node that states, names or leaves out something that an engine does not expect."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import (
    NodeError,
    computed_from,
    from_the_front,
    full_pads,
    has_input,
    input_constant,
    input_shape,
    stated_axes,
)
from fns_lab.targets.quirk_kinds.faults import rank
from fns_lab.targets.target import Quirk


def given_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that are given one of these optional inputs.

    Fields: `inputs`, the numbers of the inputs, from 0.

        [[quirk]]
        kind = "given-input"
        ops = ["MaxUnpool"]
        inputs = [2]
    """
    return any(has_input(node, index) for index in quirk.inputs)


def zero_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that leave out one of these inputs, or for which it is 0 or not known.

    Fields: `inputs`, the numbers of the inputs, from 0.

        [[quirk]]
        kind = "zero-input"
        ops = ["NonMaxSuppression"]
        inputs = [3]
    """
    numbers = [input_constant(node, index) if has_input(node, index) else None for index in quirk.inputs]
    return any(number is None or not number.any() for number in numbers)


def crossed_limits(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Clip whose lower limit is above the upper one. Limits that are computed do not count.

    Fields: none.

        [[quirk]]
        kind = "crossed-limits"
        ops = ["Clip"]
    """
    low, high = (
        input_constant(node, index) if has_input(node, index) else node.attributes.get_float(name, None)
        for index, name in ((1, "min"), (2, "max"))
    )
    return low is not None and high is not None and bool(np.any(low > high))


def of_constants(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with inputs, all of which are constants or computed from constants alone.

    Fields: `inputs`, the numbers of the inputs that are looked at, from 0, all if it is left out.

        [[quirk]]
        kind = "of-constants"
        ops = ["Conv"]
        inputs = [0]
    """
    looked_at = quirk.looked_at(node.inputs)
    return bool(looked_at) and all(value.producer() is not None for value in computed_from(looked_at))


def computed_inputs(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes one of whose inputs of these numbers is computed, not constant.

    Fields: `inputs`, the numbers of the inputs, from 0.

        [[quirk]]
        kind = "computed-inputs"
        ops = ["STFT"]
        inputs = [1, 2, 3]
    """
    return any(has_input(node, index) and input_constant(node, index) is None for index in quirk.inputs)


def only_first_computed(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is computed and all others, of which there are some, are constant.

    Fields: none.

        [[quirk]]
        kind = "only-first-computed"
        ops = ["RotaryEmbedding"]
    """
    constants = [input_constant(node, index) is not None for index in range(len(node.inputs)) if has_input(node, index)]
    return len(constants) > 1 and not constants[0] and all(constants[1:])


def data_dependent_inputs(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes one of whose inputs of these numbers depends on what the model is fed, not on constants and shapes.

    Fields: `inputs`, the numbers of the inputs, from 0.

        [[quirk]]
        kind = "data-dependent-inputs"
        ops = ["Reshape"]
        inputs = [1]
    """
    looked_at = [node.inputs[index] for index in quirk.inputs if index < len(node.inputs)]
    return any(value.producer() is None for value in computed_from(looked_at, _data_inputs))


def _data_inputs(node: ir.Node) -> Sequence[ir.Value | None]:
    return () if node.op_type in ("Shape", "Size") else node.inputs


def unstated_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state no axes, neither as an attribute nor as the second input.

    Fields: none.

        [[quirk]]
        kind = "unstated-axes"
        ops = ["Squeeze"]
    """
    return "axes" not in node.attributes and not has_input(node, 1)


def fewer_limits(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Slice that states no axes, unless it has as many limits as its input has dimensions.

    Fields: none.

        [[quirk]]
        kind = "fewer-limits"
        ops = ["Slice"]
    """
    if "axes" in node.attributes or has_input(node, 3):
        return False
    x, starts = input_shape(node, 0), input_shape(node, 1)
    count = len(node.attributes.get_ints("starts", [])) if starts is None else starts[0]
    return x is None or count != len(x)


def unnamed_output(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that leave out an output before another one by giving it an empty name.

    Fields: none.

        [[quirk]]
        kind = "unnamed-output"
        ops = ["Split"]
    """
    return any(not output.name for output in node.outputs)


def other_attribute(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state another value of an attribute than these.

    Fields: `attributes`, for each attribute a list of the values that the engine takes; an empty one for none.

        [[quirk]]
        kind = "other-attribute"
        ops = ["Attention"]
        attributes = { softcap = [0.0] }
    """
    return any(
        name in node.attributes and _plain(node.attributes[name]) not in values
        for name, values in quirk.attributes.items()
    )


def attribute_with_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state one of these values of each of these attributes and are given one of these inputs.

    Fields: `attributes`, for each attribute a list of the values that match; `inputs`, the numbers of the inputs.

        [[quirk]]
        kind = "attribute-with-input"
        ops = ["Pad"]
        attributes = { mode = ["edge", "reflect"] }
        inputs = [2]
    """
    return attributes_together(node, quirk, opset) and given_input(node, quirk, opset)


def attribute_with_rank(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state these attributes and whose first input is known to have another rank than these.

    Fields: `attributes`, for each attribute a list of the values that match; `ranks`, the numbers of dimensions that
    the engine takes with them.

        [[quirk]]
        kind = "attribute-with-rank"
        ops = ["Upsample"]
        attributes = { mode = ["linear"] }
        ranks = [2, 4]
    """
    return attributes_together(node, quirk, opset) and rank(node, quirk, opset)


def scalar_over_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match reductions whose result is known to be a scalar, without dimensions, and that state their axes.

    Fields: none.

        [[quirk]]
        kind = "scalar-over-axes"
        ops = ["ReduceMax"]
    """
    y = node.outputs[0].shape
    return y is not None and not len(y) and not unstated_axes(node, quirk, opset)


def empty_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state an empty list of axes as an attribute.

    Fields: none.

        [[quirk]]
        kind = "empty-axes"
        ops = ["ReduceMean"]
    """
    return "axes" in node.attributes and not node.attributes.get_ints("axes", [])


def unsorted_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose axes, an attribute or a constant second input, are not in ascending order from the front.

    Fields: none.

        [[quirk]]
        kind = "unsorted-axes"
        ops = ["Squeeze"]
    """
    try:
        axes = stated_axes(node)
    except NodeError:
        return False
    x = input_shape(node, 0)
    if x is not None:
        axes = [from_the_front(axis, len(x)) for axis in axes]
    return axes != sorted(axes)


def negative_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state an axis below 0 in the attribute `axes` or `axis`.

    Fields: none.

        [[quirk]]
        kind = "negative-axes"
        ops = ["Slice"]
    """
    axes = [node.attributes.get_int("axis", 0), *node.attributes.get_ints("axes", [])]
    return any(axis < 0 for axis in axes)


def noop_reduction(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match reductions that reduce nothing: without axes, or with none in them, and with `noop_with_empty_axes`.

    Fields: none.

        [[quirk]]
        kind = "noop-reduction"
        ops = ["ReduceL1"]
    """
    if not unstated_axes(node, quirk, opset):
        shape = input_shape(node, 1)
        if shape is None or shape[0] != 0:
            return False
    return node.attributes.get_int("noop_with_empty_axes", 0) == 1


def training(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match Dropout nodes whose third input, which says whether the model is trained, is not known to be false.

    Fields: none.

        [[quirk]]
        kind = "training"
        ops = ["Dropout"]
    """
    if not has_input(node, 2):
        return False
    mode = input_constant(node, 2)
    return mode is None or bool(mode)


def wrapped_and_cut(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes in mode wrap with a pad below 0 beside one above 0, or whose pads are not known.

    Fields: none.

        [[quirk]]
        kind = "wrapped-and-cut"
        ops = ["Pad"]
    """
    if node.attributes.get_string("mode", "constant") != "wrap":
        return False
    try:
        pads = full_pads(node)
    except NodeError:
        return True
    return min(pads) < 0 < max(pads)


def wrapped_beyond(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes in mode wrap with more pads before an axis than it has elements, or whose pads are not known.

    Unknown sizes count as too few.

    Fields: none.

        [[quirk]]
        kind = "wrapped-beyond"
        ops = ["Pad"]
    """
    if node.attributes.get_string("mode", "constant") != "wrap":
        return False
    try:
        pads, shape = full_pads(node), input_shape(node, 0)
    except NodeError:
        return True
    if shape is None:
        return max(pads) > 0
    begins = pads[: len(shape)]
    return any(not isinstance(size, int) or begin > size for begin, size in zip(begins, shape, strict=True) if begin)


def reflected_ones(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes in mode reflect for which an odd number of elements is skipped by one step along all axes of size 1.

    The engine divides by 2 (size - 1), and multiplies what it makes of NaN by the elements that a step skips. Unknown
    sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "reflected-ones"
        ops = ["Pad"]
    """
    shape = input_shape(node, 0)
    if shape is None or not shape.is_static() or node.attributes.get_string("mode", "constant") != "reflect":
        return False
    sizes = shape.numpy()
    return sum(math.prod(sizes[axis + 1 :]) for axis, size in enumerate(sizes) if size == 1) % 2 == 1


def _plain(attribute: ir.Attr) -> object:
    """Return an attribute's value, with a list where there are several, as TOML gives them."""
    several = attribute.type in (ir.AttributeType.INTS, ir.AttributeType.FLOATS, ir.AttributeType.STRINGS)
    return list(attribute.value) if several else attribute.value


def attributes_together(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state one of these values of each of these attributes.

    Fields: `attributes`, for each attribute a list of the values that match.

        [[quirk]]
        kind = "attributes-together"
        ops = ["AveragePool"]
        attributes = { ceil_mode = [1], count_include_pad = [1] }
    """
    return all(
        name in node.attributes and node.attributes[name].value in values for name, values in quirk.attributes.items()
    )


def negative_pads(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that cut values off by a pad below 0, or whose pads are not known.

    Fields: none.

        [[quirk]]
        kind = "negative-pads"
        ops = ["Pad"]
    """
    try:
        return any(pad < 0 for pad in full_pads(node))
    except NodeError:
        return True


def all_ranks(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes all of whose inputs are known to have one of these numbers of dimensions.

    Fields: `ranks`, the numbers of dimensions that the engine does not take together.

        [[quirk]]
        kind = "all-ranks"
        ops = ["MatMul"]
        ranks = [1]
    """
    shapes = [input_shape(node, index) for index in range(len(node.inputs))]
    return all(shape is not None and len(shape) in quirk.ranks for shape in shapes)
