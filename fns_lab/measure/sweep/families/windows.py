"""Convolutions and pools."""

from __future__ import annotations

import math

import numpy as np

from fns_lab.measure.sweep.axes import (
    DILATIONS,
    IMAGES,
    KERNELS,
    LEFT_OUT,
    NONE_OR_ALL,
    NOT_FIRST_ALONE,
    PADDING,
    STRIDES,
)
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 5)
FILTERS = (1, 3, 4, 5, 10, 12, 16, 17, 64, 65, 128, 130, 256)
GROUPS = (LEFT_OUT, 1, 2, 4, "each", "each twice")
"""Number of groups; with `each`, every channel is a group of its own, with one or two filters."""
WINDOW: Axes = {"kernel": KERNELS, "strides": STRIDES, "padding": PADDING}
VALUES: Axes = {"values": ("plain", "low", "infinite")}
"""Of the pools that take the largest value, which engines compare with a number that they take for the least."""


def _window(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the node its kernel, strides, dilations and padding; return the shape of the image and the kernel."""
    shape = draw.image()
    rank = len(shape) - 2
    kernel = draw.spatial("kernel", rank)
    for name in ("strides", "dilations"):
        if draw.get(name) is not LEFT_OUT:
            draw.set(name, draw.spatial(name, rank))
    kind = str(draw["padding"])
    pads = None if kind.isupper() or kind == "none" else _pads(kind, kernel)
    if kind.isupper():
        draw.set("auto_pad", kind)
    elif pads:
        draw.set("pads", pads)
    same = kind.startswith("SAME")
    draw.require(not same or max(draw.attributes.get("dilations", [1])) == 1)  # ONNX Runtime refuses these two together
    draw.require(same or draw.op == "ConvTranspose" or _fits(draw, shape, kernel, pads))
    return shape, kernel


def _fits(draw: Draw, shape: tuple[int, ...], kernel: tuple[int, ...], pads: tuple[int, ...] | None) -> bool:
    """Return whether an image with its padding holds the kernel once."""
    rank = len(kernel)
    pads, dilations = pads or (0,) * (2 * rank), draw.attributes.get("dilations", [1] * rank)
    spans = [(size - 1) * dilation + 1 for size, dilation in zip(kernel, dilations, strict=True)]
    return all(shape[i + 2] + pads[i] + pads[i + rank] >= spans[i] for i in range(rank))


def _pads(kind: str, kernel: tuple[int, ...]) -> tuple[int, ...]:
    half, rest = [size // 2 for size in kernel], [size - 1 - size // 2 for size in kernel]
    none = [0] * len(kernel)
    begins, ends = {
        "both": (half, half), "begin": (half, none), "end": (none, half), "uneven": (rest, half),
        "negative": ([-1] * len(kernel), none),
    }[kind]  # fmt: skip
    return (*begins, *ends)


def convolution_axes(op: str) -> Axes:
    """Return the axes of what `convolution` reads."""
    return {
        "rank": RANKS, **IMAGES, "filters": FILTERS, **WINDOW, "dilations": DILATIONS, "group": GROUPS,
        "kernel_shape": ("given", LEFT_OUT), "bias": (LEFT_OUT, "given"),
    }  # fmt: skip


def _groups(draw: Draw) -> int:
    """Give the node its groups, and return their number."""
    group, channels = draw["group"], draw["channels"]
    count = channels if str(group).startswith("each") else group or 1
    if group is not LEFT_OUT:
        draw.set("group", count)
    draw.require(channels % count == 0)
    return int(count)


def _filters(draw: Draw, groups: int) -> int:
    if str(draw["group"]).startswith("each"):
        return groups * (2 if draw["group"] == "each twice" else 1)
    draw.require(draw["filters"] % groups == 0)
    return int(draw["filters"])


def convolution(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...], int]:
    """Give the node the attributes of a convolution; return the shapes of its image and weights, and its filters."""
    shape, kernel = _window(draw)
    groups = _groups(draw)
    filters = _filters(draw, groups)
    if draw["kernel_shape"] == "given":
        draw.set("kernel_shape", kernel)
    transposed = draw.op == "ConvTranspose"
    weights = ((shape[1], filters // groups) if transposed else (filters, shape[1] // groups)) + kernel
    draw.require(draw.dtype != np.float16 or math.prod(weights[1:]) <= MOST_HALVES)
    return shape, weights, filters


def _conv(draw: Draw) -> Inputs:
    shape, weights, filters = convolution(draw)
    inputs = [draw.array(shape), draw.array(weights)]
    return [*inputs, draw.array((filters,))] if draw["bias"] else inputs


def _conv_transpose_axes(op: str) -> Axes:
    return {**convolution_axes(op), "output": (LEFT_OUT, "padding", "shape", "larger shape")}


def _conv_transpose(draw: Draw) -> Inputs:
    inputs = _conv(draw)
    sizes = np.array(draw.image()[2:])
    rank = len(sizes)
    strides = np.array(draw.attributes.get("strides", [1] * rank))
    if draw["output"] == "padding":
        draw.set("output_padding", tuple(int(stride) - 1 for stride in strides))
    elif draw["output"] is not LEFT_OUT:
        draw.require(draw["padding"] in ("none", "SAME_UPPER", "SAME_LOWER", "NOTSET"))
        larger = draw["output"] == "larger shape"
        draw.set("output_shape", tuple(int(size) for size in sizes * strides + larger))
    return inputs


def _pool_axes(op: str) -> Axes:
    of_largest: Axes = {"outputs": (1, 2), **VALUES} if op == "MaxPool" else {}
    return {"rank": RANKS, **IMAGES, **WINDOW, "dilations": DILATIONS, **of_largest}


def _pool(draw: Draw) -> Inputs:
    shape, kernel = _window(draw)
    draw.set("kernel_shape", kernel)
    draw.outputs = draw.get("outputs", 1)
    return [draw.data(shape)]


def _global_pool_axes(op: str) -> Axes:
    return {"rank": RANKS, **IMAGES, **(VALUES if op == "GlobalMaxPool" else {})}


WEIGHTY = 7.0
"""Engines have several ways of computing a convolution, and which is taken depends on many axes."""
MOST_HALVES = 8192
"""The most products of float16 that are added up to one number; what more of them give depends on the order."""
USUAL: Axes = {"rank": (4, 3), "batch": (1, 2, 3), "group": (LEFT_OUT, 1)}
"""What most networks have: an engine's shader for it depends on channels, filters and kernel together."""
OWN_ATTRIBUTES = frozenset({"group", "kernel_shape"})
FAMILIES = (
    Family(("Conv",), convolution_axes, _conv, OWN_ATTRIBUTES, constants=NOT_FIRST_ALONE, weight=WEIGHTY, usual=USUAL),
    Family(
        ("ConvTranspose",),
        _conv_transpose_axes,
        _conv_transpose,
        OWN_ATTRIBUTES,
        constants=NOT_FIRST_ALONE,
        weight=WEIGHTY / 2,
        usual=USUAL,
    ),
    Family(("AveragePool", "LpPool", "MaxPool"), _pool_axes, _pool, constants=NONE_OR_ALL),
    Family(
        ("GlobalAveragePool", "GlobalLpPool", "GlobalMaxPool"),
        _global_pool_axes,
        lambda draw: [draw.data(draw.image())],
        constants=NONE_OR_ALL,
    ),
)
