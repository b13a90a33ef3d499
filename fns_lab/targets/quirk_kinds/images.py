"""Kinds of quirk for pools and resized images whose sizes an engine does not compute right."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import ROUNDINGS, has_input, input_constant, input_shape
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


def _is_whole(size: int | ir.SymbolicDim, scale: float) -> bool:
    return isinstance(size, int) and math.isclose(size * scale, round(size * scale), rel_tol=1e-6)


def fractional_scales(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose attribute `scales` has a number that is not whole.

    Fields: none.

        [[quirk]]
        kind = "fractional-scales"
        ops = ["Upsample"]
    """
    return any(scale % 1 for scale in node.attributes.get_floats("scales", []))


def tied_pixels(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match a Resize in mode nearest of which rounding decides which pixel it takes, so that engines take others.

    A coordinate such as 1 / (2 / 7) is 3.5 only if nothing is rounded. Sizes that are not known do not count.

    Fields: none.

        [[quirk]]
        kind = "tied-pixels"
        ops = ["Resize"]
    """
    if opset < 11 or node.attributes.get_string("mode", "nearest") != "nearest":
        return False
    x, y, scales = input_shape(node, 0), node.outputs[0].shape, input_constant(node, 2)
    if x is None or y is None:
        return False
    axes = list(node.attributes.get_ints("axes", range(len(x))))
    stated = {} if scales is None else dict(zip(axes, scales.tolist(), strict=False))
    sizes = [(old, new, stated.get(axis)) for axis, (old, new) in enumerate(zip(x, y, strict=True))]
    return any(
        isinstance(old, int) and isinstance(new, int) and old and old != new and _is_tied(node, old, new, scale)
        for old, new, scale in sizes
    )


def _is_tied(node: ir.Node, old: int, new: int, scale: float | None) -> bool:
    """Return whether the pixels of an axis depend on the order of the operations and the type that computes them."""
    pixel = ROUNDINGS[node.attributes.get_string("nearest_mode", "round_prefer_floor")]
    coordinates = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    shift = 0.5 if "half_pixel" in coordinates else 0.0
    taken = []
    for kind in (np.float32, np.float64):
        i = np.arange(new, dtype=kind) + np.array(shift, kind)
        m, n, one, stated = np.array([new, old, 1, scale or 1], kind)
        if coordinates == "align_corners" and new > 1:
            ratios = [(n - one, m - one), (n - one, n * (m / n) - one)]  # some engines know the scale, not the new size
        else:
            ratios = [(n, m), (one, m / n if scale is None else stated)]
        for above, below in ratios:
            taken += [i * above / below, i * (above / below)]
    pixels = np.clip(pixel(np.array(taken) - shift), 0, old - 1)
    return bool((pixels != pixels[0]).any())


def resized_channels(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that are known to resize the batch or the channels, the first two axes.

    Fields: none.

        [[quirk]]
        kind = "resized-channels"
        ops = ["Resize"]
    """
    x, y = input_shape(node, 0), node.outputs[0].shape
    return x is not None and y is not None and list(x)[:2] != list(y)[:2]


def single_row(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes whose first input is an image of one row with several columns. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "single-row"
        ops = ["Resize"]
    """
    x = input_shape(node, 0)
    return x is not None and len(x) == 4 and x[2] == 1 and x[3] != 1


def single_column_after(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that read an image of one column, computed by ops of `after` and functions of each element since.

    Fields: `after`, op types.

        [[quirk]]
        kind = "single-column-after"
        ops = ["Resize"]
        after = ["Conv"]
    """
    x = node.inputs[0]
    if x is None or x.shape is None or len(x.shape) != 4 or x.shape[3] != 1:
        return False
    producer = x.producer()
    while producer is not None and producer.op_type not in quirk.after:
        x = producer.inputs[0] if len(producer.inputs) == 1 else None
        if x is None or x.shape != producer.outputs[0].shape:
            return False
        producer = x.producer()
    return producer is not None
