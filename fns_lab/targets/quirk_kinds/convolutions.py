"""Kinds of quirk for convolutions that an engine computes several channels at a time."""

from __future__ import annotations

import math

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import full_pads, input_shape
from fns_lab.targets.quirk_kinds.fusions import fused_pad
from fns_lab.targets.target import Quirk

VECTOR = 4
"""Channels that a shader reads and writes at a time."""


def channels_by_three(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions in one group that read 3 channels at a time and write 4, unless they read 3 in all.

    So the channels are a multiple of 3 and not of 4, the filters a multiple of 4. A kernel of 1 with stride 1 and no
    padding is left out. Sizes that are not known count as such multiples.

    Fields: none.

        [[quirk]]
        kind = "channels-by-three"
        ops = ["Conv"]
    """
    weights = input_shape(node, 1)
    if node.attributes.get_int("group", 1) != 1:
        return False
    if weights is None:
        return True
    filters, channels, *kernel = weights
    if isinstance(channels, int) and (channels == 3 or channels % 3 or not channels % VECTOR):
        return False
    if isinstance(filters, int) and filters % VECTOR:
        return False
    return not (all(size == 1 for size in kernel) and _is_dense(node))


def uneven_groups(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match grouped convolutions that write several filters at a time, of which some are of the next group.

    4 filters are written at a time if all filters are a multiple of 4, 2 if they are even. A group of fewer than 4
    filters is left out. Sizes that are not known count as uneven.

    Fields: none.

        [[quirk]]
        kind = "uneven-groups"
        ops = ["Conv"]
    """
    group, weights = node.attributes.get_int("group", 1), input_shape(node, 1)
    if group == 1:
        return False
    if weights is None or not isinstance(weights[0], int):
        return True
    filters = weights[0]
    at_a_time = next(n for n in (VECTOR, 2, 1) if filters % n == 0)
    in_group = filters // group
    return in_group >= VECTOR and in_group % at_a_time != 0


def nine_taps(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions of one or two dimensions whose kernel has nine elements and is not 3 x 3.

    Left out: a dilation other than 1, and a group for each channel with one filter. Unknown weights do not count.

    Fields: none.

        [[quirk]]
        kind = "nine-taps"
        ops = ["Conv"]
    """
    weights = input_shape(node, 1)
    if weights is None or len(weights) not in (3, 4) or sorted(map(str, weights[2:])) not in (["9"], ["1", "9"]):
        return False
    dense = all(dilation == 1 for dilation in node.attributes.get_ints("dilations", []))
    return dense and not (weights[1] == 1 and weights[0] == node.attributes.get_int("group", 1))


def padded_points(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions with a kernel of one element, stride 1 and padding. Unknown weights do not count.

    Fields: none.

        [[quirk]]
        kind = "padded-points"
        ops = ["Conv"]
    """
    weights = input_shape(node, 3 if node.op_type == "QLinearConv" else 1)
    point = weights is not None and all(size == 1 for size in weights[2:])
    dense = all(stride == 1 for stride in node.attributes.get_ints("strides", []))
    return point and dense and any(node.attributes.get_ints("pads", []))


def padded_at_end(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions that pad at the end alone, with a kernel of one element, or as large as their input.

    A Pad with zeros before the convolution counts, since ONNX Runtime makes one node of them unless `auto_pad` is
    VALID. Those in groups or of three spatial dimensions are left out, and so are kernels of one element of one
    dimension. Unknown sizes count as such.

    Fields: none.

        [[quirk]]
        kind = "padded-at-end"
        ops = ["Conv"]
    """
    kernel = _kernel(node)
    n = len(kernel)
    if n == 3 or node.attributes.get_int("group", 1) > 1:
        return False
    x, auto_pad = node.inputs[0], node.attributes.get_string("auto_pad", "NOTSET")
    if auto_pad.startswith("SAME"):
        at_end = auto_pad == "SAME_UPPER" and min(_unread(node), default=-1) == -1
    else:
        pads = np.array(node.attributes.get_ints("pads", [0, 0])).reshape(2, -1)
        if auto_pad == "NOTSET" and (pad := fused_pad(x)) is not None:
            x, pads = pad.inputs[0], pads + np.reshape(full_pads(pad), (2, -1))[:, 2:]
        begins, ends = pads
        at_end = not any(begins) and any(ends)
    sizes = [None] * n if x is None or x.shape is None else x.shape[2:]
    covers = all(k == size or not isinstance(size, int) for k, size in zip(kernel, sizes, strict=True))
    return at_end and (covers if max(kernel, default=2) > 1 else n == 2)


def off_centre_same(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that pad SAME and whose padding at the begin is not (kernel - 1) / 2, rounded down, along each axis.

    Sizes that are not known count as such.

    Fields: none.

        [[quirk]]
        kind = "off-centre-same"
        ops = ["Conv", "MaxPool"]
    """
    if not node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        return False
    x, kernel = input_shape(node, 0), _kernel(node)
    sizes = [] if x is None else [size for size in x[2:] if isinstance(size, int)]
    if not kernel or len(sizes) != len(kernel):
        return True
    lower = node.attributes.get_string("auto_pad") == "SAME_LOWER"
    strides, dilations = _strides_and_dilations(node, len(kernel))
    for size, k, stride, dilation in zip(sizes, kernel, strides, dilations, strict=True):
        extent = (k - 1) * dilation
        total = max((math.ceil(size / stride) - 1) * stride + extent + 1 - size, 0)
        if extent // 2 != (total + lower) // 2:
            return True
    return False


def unread_end(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that pad SAME and whose windows end before the image does. Unknown sizes do not count.

    The padding that would make them end together is below 0.

    Fields: none.

        [[quirk]]
        kind = "unread-end"
        ops = ["MaxPool"]
    """
    return any(count > 0 for count in _unread(node))


def unread_start(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match nodes that pad SAME and whose windows leave so much of the image that half of it is before the first.

    Of one element the half is rounded down, to none, with SAME_UPPER. Unknown sizes do not count.

    Fields: none.

        [[quirk]]
        kind = "unread-start"
        ops = ["AveragePool"]
    """
    least = 2 if node.attributes.get_string("auto_pad", "NOTSET") == "SAME_UPPER" else 1
    return any(count >= least for count in _unread(node))


def _unread(node: ir.Node) -> list[int]:
    """Return along each axis how many elements the windows of a node that pads SAME leave, below 0 where they pad."""
    x, kernel = input_shape(node, 0), _kernel(node)
    if x is None or not node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        return []
    axes = zip(x[2:], kernel, *_strides_and_dilations(node, len(kernel)), strict=True)
    return [
        size - (math.ceil(size / stride) - 1) * stride - (k - 1) * dilation - 1
        for size, k, stride, dilation in axes
        if isinstance(size, int)
    ]


def cropped_to_shape(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match transposed convolutions whose `output_shape` is smaller than what they compute without padding.

    Sizes that are not known count as larger.

    Fields: none.

        [[quirk]]
        kind = "cropped-to-shape"
        ops = ["ConvTranspose"]
    """
    return any(cut is None or cut > 0 for cut in _cut_off(node))


def unevenly_cropped(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match transposed convolutions cropped to an `output_shape` in groups, or by an odd number with SAME_UPPER.

    Sizes that are not known count as such.

    Fields: none.

        [[quirk]]
        kind = "unevenly-cropped"
        ops = ["ConvTranspose"]
    """
    cuts = [cut for cut in _cut_off(node) if cut is None or cut > 0]
    if node.attributes.get_int("group", 1) > 1:
        return bool(cuts)
    upper = node.attributes.get_string("auto_pad", "NOTSET") == "SAME_UPPER"
    return upper and any(cut is None or cut % 2 for cut in cuts)


def _cut_off(node: ir.Node) -> list[int | None]:
    """Return how much of the result is cut off along each axis for `output_shape`, None for a size not known."""
    wanted, x, kernel = list(node.attributes.get_ints("output_shape", [])), input_shape(node, 0), _kernel(node)
    if not wanted:
        return []
    if x is None or len(kernel) != len(x) - 2:
        return [None]
    strides, dilations = _strides_and_dilations(node, len(kernel))
    added = node.attributes.get_ints("output_padding", [0] * len(kernel))
    axes = zip(x[2:], wanted[-len(kernel) :], kernel, strides, dilations, added, strict=True)
    return [(n - 1) * s + (k - 1) * d + 1 + a - size if isinstance(n, int) else None for n, size, k, s, d, a in axes]


def enlarged_same(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match transposed convolutions that pad SAME, if the kernel does not reach beyond the stride along an axis.

    Also those with an `output_padding` or an `output_shape`. A dilated kernel counts with its gaps, an unknown one as
    too short.

    Fields: none.

        [[quirk]]
        kind = "enlarged-same"
        ops = ["ConvTranspose"]
    """
    if not node.attributes.get_string("auto_pad", "NOTSET").startswith("SAME"):
        return False
    kernel = _kernel(node)
    if not kernel or "output_shape" in node.attributes or any(node.attributes.get_ints("output_padding", [])):
        return True
    strides, dilations = _strides_and_dilations(node, len(kernel))
    return any((k - 1) * d + 1 <= s for k, s, d in zip(kernel, strides, dilations, strict=True))


def grouped_volumes(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match convolutions of three spatial dimensions in more than one group. An unknown shape does not count.

    Fields: none.

        [[quirk]]
        kind = "grouped-volumes"
        ops = ["Conv"]
    """
    weights = input_shape(node, 1)
    return node.attributes.get_int("group", 1) != 1 and weights is not None and len(weights) == 5


def packed_groups(node: ir.Node, quirk: Quirk, opset: int) -> bool:
    """Match transposed convolutions whose groups each write one channel and read several at a time.

    2 or 4 channels are read at a time if a group has 4 or more and an even number. Sizes that are not known count as
    such.

    Fields: none.

        [[quirk]]
        kind = "packed-groups"
        ops = ["ConvTranspose"]
    """
    group, weights = node.attributes.get_int("group", 1), input_shape(node, 1)
    if group == 1:
        return False
    if weights is None or not isinstance(weights[0], int):
        return True
    in_group = weights[0] // group
    return weights[1] == 1 and in_group >= VECTOR and in_group % 2 == 0


def _is_dense(conv: ir.Node) -> bool:
    """Return whether the strides are 1 and nothing is padded."""
    explicit = conv.attributes.get_string("auto_pad", "NOTSET") in ("NOTSET", "VALID")
    plain = set(conv.attributes.get_ints("strides", [1])) == {1} and not any(conv.attributes.get_ints("pads", [0]))
    return explicit and plain


def _kernel(node: ir.Node) -> list[int]:
    """Return the sizes of a window, empty if they are not known."""
    stated = node.attributes.get_ints("kernel_shape", [])
    weights = None if stated else input_shape(node, 1)
    sizes = list(stated) if weights is None else [size for size in weights[2:] if isinstance(size, int)]
    return [int(size) for size in sizes]


def _strides_and_dilations(node: ir.Node, axes: int) -> tuple[list[int], list[int]]:
    """Return both for each of so many axes, 1 where they are not stated."""
    strides, dilations = (list(node.attributes.get_ints(name, [1] * axes)) for name in ("strides", "dilations"))
    return strides, dilations
