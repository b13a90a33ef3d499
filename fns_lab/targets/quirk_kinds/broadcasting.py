"""Kinds of quirk for a node whose inputs have different shapes, so that one is repeated along axes of the other."""

from __future__ import annotations

from itertools import zip_longest

import onnx_ir as ir

from fns_lab.opset.nodes import input_constant, input_shape
from fns_lab.targets.target import Quirk


def broadcast_first(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is not known to have the shape of the result, so that it may be repeated.

    Fields: none.

        [[quirk]]
        kind = "broadcast-first"
        ops = ["Mod"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    return x is None or y is None or x != y


def lower_rank_first(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is not known to have as many dimensions as the result.

    Fields: none.

        [[quirk]]
        kind = "lower-rank-first"
        ops = ["Mean"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    return x is None or y is None or len(x) != len(y)


def repeated_matrices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match products with a constant second operand of several matrices, if these are repeated along another axis.

    A size that is not known counts as another than 1.

    Fields: none.

        [[quirk]]
        kind = "repeated-matrices"
        ops = ["MatMul"]
    """
    a, b = input_shape(node, 0), input_shape(node, 1)
    if a is None or b is None or input_constant(node, 1) is None:
        return False
    pairs = list(zip_longest(list(a)[-3::-1], list(b)[-3::-1], fillvalue=1))
    return any(j != 1 for _, j in pairs) and any(i != 1 and j == 1 for i, j in pairs)


def last_axis_repeated(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that repeat one input along the last axis of the other, whose size there is a multiple of 4.

    A scalar or a vector of one element is left out. Sizes that are not known count as such.

    Fields: none.

        [[quirk]]
        kind = "last-axis-repeated"
        ops = ["Pow"]
    """
    shapes = [input_shape(node, index) for index in range(2)]
    ends = [shape[-1] for shape in shapes if shape is not None and len(shape)]
    single = any(shape is not None and list(shape) in ([], [1]) for shape in shapes)
    if single or None in shapes:
        return not single
    known = [size for size in ends if isinstance(size, int)]
    return len(known) < len(ends) or (1 in known and any(size % 4 == 0 for size in known))


def slope_beyond_channels(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match PRelu nodes whose slope varies over more than the channels, the second axis of the first input.

    A slope of a vector's or matrix's last axis is left out. Shapes that are not known count as such.

    Fields: none.

        [[quirk]]
        kind = "slope-beyond-channels"
        ops = ["PRelu"]
    """
    x, slope = input_shape(node, 0), input_shape(node, 1)
    if x is None or slope is None:
        return True
    aligned = [1] * (len(x) - len(slope)) + list(slope)
    return any(size != 1 for axis, size in enumerate(aligned) if axis != 1)


def scale_of_fewer_axes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match normalizations over the last axes, if their scale or their bias is not known to have just these axes.

    Fields: none.

        [[quirk]]
        kind = "scale-of-fewer-axes"
        ops = ["LayerNormalization"]
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", -1)
    given = [input_shape(node, index) for index, value in enumerate(node.inputs) if index and value is not None]
    if x is None or None in given:
        return True
    return any(tuple(shape or ()) != tuple(x)[axis:] for shape in given)


def smaller_indices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose second input is not known to have the sizes of the first along every axis but `axis`.

    Fields: none.

        [[quirk]]
        kind = "smaller-indices"
        ops = ["GatherElements"]
    """
    x, indices = input_shape(node, 0), input_shape(node, 1)
    if x is None or indices is None:
        return True
    axis = node.attributes.get_int("axis", 0) % len(x)
    return any(i != axis and size != indices[i] for i, size in enumerate(x))
