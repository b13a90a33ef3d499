"""Kinds of quirk for an op that an engine computes wrongly, or fails on, with some attributes, shapes or constants."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.convert import is_written_alike
from fns_lab.opset.nodes import NodeError, input_constant, input_shape, reduced_axes, stated_axes
from fns_lab.opset.signs import never_negative
from fns_lab.targets.target import Quirk


def broken_op(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match every node of these ops.

    Fields: none.

        [[quirk]]
        kind = "broken-op"
        ops = ["Resize"]
    """
    return True


def reads_older_opset(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that mean something else, or nothing, when they are read as of an older opset.

    Fields: `opset`, as of which the engine reads these ops, however new the model is.

        [[quirk]]
        kind = "reads-older-opset"
        ops = ["ReduceMean", "Squeeze"]
        opset = 7
    """
    try:
        return not is_written_alike(node, opset, min(opset, quirk.opset))
    except NodeError:
        return True


def attribute(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state one of these values of an attribute.

    Fields: `attributes`, for each attribute a list of the values that match.

        [[quirk]]
        kind = "attribute"
        ops = ["Conv", "MaxPool"]
        attributes = { auto_pad = ["SAME_LOWER"] }
    """
    return any(
        name in node.attributes and node.attributes[name].value in values for name, values in quirk.attributes.items()
    )


def unstated(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that leave one of these attributes to its default.

    Fields: `attributes`, the names of the attributes, each with an empty list.

        [[quirk]]
        kind = "unstated"
        ops = ["Resize"]
        attributes = { mode = [] }
    """
    return any(name not in node.attributes for name in quirk.attributes)


def whole_attribute(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state an attribute of these names as a whole number.

    Fields: `attributes`, for each attribute an empty list.

        [[quirk]]
        kind = "whole-attribute"
        ops = ["LeakyRelu"]
        attributes = { alpha = [] }
    """
    return any(name in node.attributes and node.attributes[name].value % 1 == 0 for name in quirk.attributes)


def infinite_number(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that state an infinite number or NaN, as an attribute or in a constant input after the first.

    Fields: none.

        [[quirk]]
        kind = "infinite-number"
        ops = ["Clip", "Pad"]
    """
    attributes = [stated.value for stated in node.attributes.values() if stated.type == ir.AttributeType.FLOAT]
    constants = [input_constant(node, index) for index in range(1, len(node.inputs))]
    numbers = [*attributes, *(array for array in constants if array is not None and array.dtype.kind == "f")]
    return not all(np.isfinite(number).all() for number in numbers)


def repeated_subscript(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an Einsum that reads a diagonal: one of its terms names a dimension twice.

    Fields: none.

        [[quirk]]
        kind = "repeated-subscript"
        ops = ["Einsum"]
    """
    equation = node.attributes.get_string("equation", "").replace(" ", "").replace("...", "")
    return any(len(set(term)) < len(term) for term in equation.split("->")[0].split(","))


def implicit_ellipsis(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match an Einsum with an ellipsis that does not state its output.

    Fields: none.

        [[quirk]]
        kind = "implicit-ellipsis"
        ops = ["Einsum"]
    """
    equation = node.attributes.get_string("equation", "")
    return "..." in equation and "->" not in equation


def auto_pad(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that leave their padding to the engine: `auto_pad` is SAME_UPPER or SAME_LOWER.

    Fields: none.

        [[quirk]]
        kind = "auto-pad"
        ops = ["Conv", "MaxPool"]
    """
    return node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME")


def grouped(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions in more than one group.

    Fields: none.

        [[quirk]]
        kind = "grouped"
        ops = ["Conv"]
    """
    return node.attributes.get_int("group", 1) > 1


def grouped_wide(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions in more than one group, unless each group is known to read one channel and write one.

    Fields: none.

        [[quirk]]
        kind = "grouped-wide"
        ops = ["Conv"]
    """
    weights = input_shape(node, 1)
    group = node.attributes.get_int("group", 1)
    return grouped(node, quirk, opset) and (weights is None or weights[0] != group or weights[1] != 1)


def dilated(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with a dilation other than 1.

    Fields: none.

        [[quirk]]
        kind = "dilated"
        ops = ["Conv"]
    """
    return any(dilation != 1 for dilation in node.attributes.get_ints("dilations", []))


def batch(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is not known to hold a single image.

    Fields: none.

        [[quirk]]
        kind = "batch"
        ops = ["LRN"]
    """
    x = input_shape(node, 0)
    return x is None or (x.rank() > 0 and x[0] != 1)


def batch_reduction(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match reductions over three or more axes that are not the last ones, if one of them has a certain length.

    The last two of these axes may have any length. Axes that are computed and sizes that are not known count as long.

    Fields: `samples`, the largest length of the other axes that the engine reduces correctly.

        [[quirk]]
        kind = "batch-reduction"
        ops = ["ReduceMean", "ReduceSum"]
        samples = 2
    """
    x = input_shape(node, 0)
    if x is None or len(x) < 4:
        return False
    try:
        axes = sorted(axis % len(x) for axis in stated_axes(node))
    except NodeError:
        return True
    return not _are_last(axes, x) and _any_longer(axes[:-2], x, quirk.samples)


def last_axes_reduction(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match reductions over all axes, two or more, or over the last three or more if one of these has a certain length.

    The last two axes may have any length. Axes that are computed and sizes that are not known count as long.

    Fields: `samples`, the largest length of the other axes that the engine reduces correctly.

        [[quirk]]
        kind = "last-axes-reduction"
        ops = ["ReduceMean", "ReduceSum"]
        samples = 2
    """
    x = input_shape(node, 0)
    if x is None or len(x) < 2:
        return False
    try:
        axes = sorted(reduced_axes(node))
    except NodeError:
        return True
    return len(axes) == len(x) or (_are_last(axes, x) and _any_longer(axes[:-2], x, quirk.samples))


def _are_last(axes: Sequence[int], shape: ir.Shape) -> bool:
    """Return whether these axes, in order, are the last ones of a shape."""
    return list(axes) == list(range(len(shape) - len(axes), len(shape)))


def _any_longer(axes: Sequence[int], shape: ir.Shape, samples: int) -> bool:
    """Return whether one of these axes is longer than `samples`. A size that is not known counts as longer."""
    return any(not isinstance(size := shape[axis], int) or size > samples for axis in axes)


def rank(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to have another number of dimensions than these.

    Fields: `ranks`, the numbers of dimensions that the engine takes.

        [[quirk]]
        kind = "rank"
        ops = ["BatchNormalization"]
        ranks = [3, 4, 5]
    """
    x = input_shape(node, 0)
    return x is not None and len(x) not in quirk.ranks


def computed_input(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with an input after the first that is computed, not constant.

    Fields: none.

        [[quirk]]
        kind = "computed-input"
        ops = ["BatchNormalization"]
    """
    return any(value is not None and ir.convenience.get_const_tensor(value) is None for value in node.inputs[1:])


def negative_indices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose second input is constant and holds an index below 0, which counts from the end.

    Fields: none.

        [[quirk]]
        kind = "negative-indices"
        ops = ["Gather"]
    """
    indices = input_constant(node, 1)
    return indices is not None and bool((indices < 0).any())


def unsafe_indices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose second input is computed, and may hold an index below 0 for all that is known.

    Fields: none.

        [[quirk]]
        kind = "unsafe-indices"
        ops = ["Gather"]
    """
    indices = node.inputs[1]
    if indices is None or ir.convenience.get_const_tensor(indices) is not None:
        return False
    return not never_negative(indices)


def scalar_indices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose second input is known to be a scalar, without dimensions.

    Fields: none.

        [[quirk]]
        kind = "scalar-indices"
        ops = ["Gather"]
    """
    indices = input_shape(node, 1)
    return indices is not None and not len(indices)
