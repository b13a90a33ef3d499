"""Kinds of quirk for a node that an engine computes correctly or not depending on sizes that do not divide evenly."""

from __future__ import annotations

import math
from itertools import zip_longest

import onnx_ir as ir

from fns_lab.opset.nodes import has_input, input_constant, input_shape
from fns_lab.opset.schemas import ONE_AXIS_SINCE
from fns_lab.targets.target import Quirk


def window_in_padding(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match pools in ceil mode whose last window starts in the padding at the end. Unknown sizes count as such.

    Fields: none.

        [[quirk]]
        kind = "window-in-padding"
        ops = ["AveragePool", "MaxPool"]
    """
    x, kernel = input_shape(node, 0), list(node.attributes.get_ints("kernel_shape", []))
    if not node.attributes.get_int("ceil_mode", 0):
        return False
    if x is None or not all(isinstance(size, int) for size in x[2:]):
        return True
    n = len(kernel)
    pads = node.attributes.get_ints("pads", [0] * 2 * n)
    strides, dilations = (node.attributes.get_ints(name, [1] * n) for name in ("strides", "dilations"))
    for size, k, s, d, begin, end in zip(x[2:], kernel, strides, dilations, pads[:n], pads[n:], strict=True):
        windows = -(-(int(size) + begin + end - (k - 1) * d - 1) // s) + 1
        if (windows - 1) * s >= int(size) + begin:
            return True
    return False


def fractional_size(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that resize by scales which do not give whole sizes. Sizes and scales not known count as such.

    Fields: none.

        [[quirk]]
        kind = "fractional-size"
        ops = ["Resize"]
    """
    index = 2 if opset > 10 else 1
    stated = "scales" in node.attributes  # Upsample before opset 9
    if not stated and not has_input(node, index):
        return False
    scales = node.attributes.get_floats("scales", []) if stated else input_constant(node, index)
    shape = input_shape(node, 0)
    if scales is None or shape is None:
        return True
    axes = node.attributes.get_ints("axes", range(len(scales)))
    return not all(scale == 1 or _is_whole(shape[axis], scale) for axis, scale in zip(axes, scales, strict=False))


def fractional_scales(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose attribute `scales` has a number that is not whole.

    Fields: none.

        [[quirk]]
        kind = "fractional-scales"
        ops = ["Upsample"]
    """
    return any(scale % 1 for scale in node.attributes.get_floats("scales", []))


def _is_whole(size: int | ir.SymbolicDim, scale: float) -> bool:
    return isinstance(size, int) and math.isclose(size * scale, round(size * scale), rel_tol=1e-6)


def resized_channels(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that are known to resize the batch or the channels, the first two axes.

    Fields: none.

        [[quirk]]
        kind = "resized-channels"
        ops = ["Resize"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    return x is not None and y is not None and list(x)[:2] != list(y)[:2]


def mutual_batches(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match products with a constant second matrix if both are known to be repeated along axes before the last two.

    Fields: none.

        [[quirk]]
        kind = "mutual-batches"
        ops = ["MatMul"]
    """
    a, b = input_shape(node, 0), input_shape(node, 1)
    if a is None or b is None or input_constant(node, 1) is None:
        return False
    pairs = zip_longest(list(a)[-3::-1], list(b)[-3::-1], fillvalue=1)
    repeated = {(i == 1, j == 1) for i, j in pairs}
    return {(True, False), (False, True)} <= repeated


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


def flattened(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes before opset 13 that normalize over all axes from `axis` on, more than one, together.

    Fields: `opset`, from which on the engine takes such a node for one of opset 13, of one axis.

        [[quirk]]
        kind = "flattened"
        ops = ["Softmax"]
        opset = 11
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 1)
    if not quirk.opset <= opset < 13:
        return False
    return x is None or any(size != 1 for size in list(x)[axis % max(len(x), 1) + 1 :])


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


def result_of_nothing(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to have no elements, although the result has some.

    Fields: none.

        [[quirk]]
        kind = "result-of-nothing"
        ops = ["ReduceMax", "ReduceMin"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    return x is not None and 0 in x and not (y is not None and 0 in y)


def no_window(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match pools whose kernel is known to be larger than the padded image along an axis, so that it fits nowhere.

    Fields: none.

        [[quirk]]
        kind = "no-window"
        ops = ["AveragePool", "MaxPool"]
    """
    x, kernel = input_shape(node, 0), list(node.attributes.get_ints("kernel_shape", []))
    if x is None or node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        return False
    n = len(kernel)
    pads, dilations = node.attributes.get_ints("pads", [0] * 2 * n), node.attributes.get_ints("dilations", [1] * n)
    axes = zip(x[2:], kernel, dilations, pads[:n], pads[n:], strict=True)
    return any(isinstance(size, int) and size + begin + end < (k - 1) * d + 1 for size, k, d, begin, end in axes)


def tall_matrices(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to have more rows than columns, its last axis. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "tall-matrices"
        ops = ["Trilu"]
    """
    rows, columns = (input_shape(node, 0) or ())[-2:] if len(input_shape(node, 0) or ()) > 1 else (0, 0)
    return isinstance(rows, int) and isinstance(columns, int) and rows > columns


def uneven_parts(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Split by `num_outputs` whose last part is smaller than the others. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "uneven-parts"
        ops = ["Split"]
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 0)
    parts = node.attributes.get_int("num_outputs", 1)
    return x is not None and isinstance(size := x[axis], int) and size % parts != 0


def single_element(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input has one element. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "single-element"
        ops = ["Sum"]
    """
    x = input_shape(node, 0)
    return x is not None and all(size == 1 for size in x)


def sliced_to_nothing(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that cut several axes, one of them from one element to none. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "sliced-to-nothing"
        ops = ["Slice"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    if x is None or y is None:
        return False
    cut = [(before, after) for before, after in zip(x, y, strict=True) if before != after]
    return len(cut) > 1 and (1, 0) in cut


def empty_part(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Split by `num_outputs` whose last part is empty, as of 4 elements in 3 parts. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "empty-part"
        ops = ["Split"]
    """
    return _left_for_last_part(node) == 0


def missing_part(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Split by `num_outputs` that has no elements left before its last part, as of 5 in 4.

    Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "missing-part"
        ops = ["Split"]
    """
    left = _left_for_last_part(node)
    return left is not None and left < 0


def _left_for_last_part(node: ir.Node) -> int | None:
    """Return the elements that a Split leaves for its last part where the others are alike; None if not known."""
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 0)
    parts = node.attributes.get_int("num_outputs", 0)
    if x is None or not isinstance(size := x[axis], int) or not parts or size == 0:
        return None
    return size - (parts - 1) * math.ceil(size / parts)


def single_row(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is an image of one row with several columns. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "single-row"
        ops = ["Resize"]
    """
    x = input_shape(node, 0)
    return x is not None and len(x) == 4 and x[2] == 1 and x[3] != 1


def flattened_unevenly(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Softmax before opset 13 over more than the last axis that a GPU reads 2 or 4 elements at a time.

    It does so where all elements that are taken together are a multiple of that number, even if the last axis is none.
    Unknown sizes count as such.

    Fields: none.

        [[quirk]]
        kind = "flattened-unevenly"
        ops = ["Softmax"]
    """
    x, axis = input_shape(node, 0), node.attributes.get_int("axis", 1)
    if opset >= ONE_AXIS_SINCE or (x is not None and axis % max(len(x), 1) == len(x) - 1):
        return False
    together = () if x is None else x[axis:]
    if not all(isinstance(size, int) for size in together) or not together:
        return True
    at_a_time = next(n for n in (4, 2, 1) if math.prod(together) % n == 0)
    return together[-1] % at_a_time != 0


def single_column(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose result has one element along its last axis, unless its scale is known to have several numbers.

    Sizes of the result that are not known do not count.

    Fields: `inputs`, the number of the scale's input, from 0.

        [[quirk]]
        kind = "single-column"
        ops = ["QuantizeLinear"]
        inputs = [1]
    """
    y, scale = node.outputs[0].shape, input_shape(node, quirk.inputs[0])
    if y is None or (len(y) and y[-1] != 1):
        return False
    return scale is None or all(size == 1 for size in scale)


def stated_zero(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes with `allowzero` whose shape has a 0 or is computed.

    Fields: none.

        [[quirk]]
        kind = "stated-zero"
        ops = ["Reshape"]
    """
    shape = input_constant(node, 1)
    return bool(node.attributes.get_int("allowzero", 0)) and (shape is None or bool((shape == 0).any()))


def complex_signal(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is known to hold complex numbers: its last axis has 2 elements.

    Fields: none.

        [[quirk]]
        kind = "complex-signal"
        ops = ["STFT"]
    """
    x = input_shape(node, 0)
    return x is not None and len(x) > 2 and x[-1] == 2
