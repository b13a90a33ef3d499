"""Ops that read an image at computed places or put pieces of one together."""

from __future__ import annotations

import math

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT, NOT_FIRST_ALONE
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

ROIS = (3, 1, 5)
BATCH = (1, 2, 3)
ALIGN = (LEFT_OUT, 0, 1)
IMAGES_WITH_ELEMENTS: Axes = {**IMAGES, "batch": BATCH}


def _grid_axes(op: str) -> Axes:
    return {
        "rank": (4, 5), **IMAGES_WITH_ELEMENTS, "output": ((3, 5), (1, 1), (7, 2)), "reach": (1.0, 1.5),
        "mode": (LEFT_OUT, "linear", "nearest", "cubic"), "attribute align_corners": ALIGN,
        "attribute padding_mode": (LEFT_OUT, "zeros", "border", "reflection"),
    }  # fmt: skip


def _grid(draw: Draw) -> Inputs:
    shape, mode = draw.image(), draw["mode"]
    if mode is not LEFT_OUT:
        draw.set("mode", f"bi{mode}" if draw.opset < 20 and mode != "nearest" else mode)
    kind = draw.dtype if draw.dtype.kind == "f" else np.float32
    places = (shape[0], *draw.spatial("output", len(shape) - 2), len(shape) - 2)
    return [draw.array(shape), draw.array(places, -draw["reach"], draw["reach"], kind)]


def _affine(draw: Draw) -> Inputs:
    shape = draw.image()
    spatial = len(shape) - 2
    return [draw.array((shape[0], spatial, spatial + 1)), draw.ints(shape)]


def _boxes(draw: Draw, count: int) -> np.ndarray:
    """Return boxes `(count, 4)` of the image: x1, y1, x2, y2."""
    height, width = draw["size"]
    corners = draw.array((count, 2), 0.0, 0.5)
    sizes = draw.array((count, 2), 0.3, 0.9)
    return np.asarray(np.hstack([corners, corners + sizes]) * [width, height, width, height], draw.dtype)


def _roi_axes(op: str) -> Axes:
    return {
        **IMAGES_WITH_ELEMENTS, "rois": ROIS, "attribute output_height": (LEFT_OUT, 3, 1),
        "attribute output_width": (2, LEFT_OUT, 5), "attribute sampling_ratio": (LEFT_OUT, 0, 2),
        "attribute spatial_scale": (LEFT_OUT, 0.5), "attribute mode": (LEFT_OUT, "avg", "max"),
        "attribute coordinate_transformation_mode": (LEFT_OUT, "half_pixel", "output_half_pixel"),
    }  # fmt: skip


def _roi_align(draw: Draw) -> Inputs:
    return [draw.array(draw.image()), _boxes(draw, draw["rois"]), draw.rng.integers(0, draw["batch"], draw["rois"])]


def _roi_pool(draw: Draw) -> Inputs:
    images = draw.rng.integers(0, draw["batch"], (draw["rois"], 1)).astype(draw.dtype)
    draw.set("pooled_shape", draw["pooled"])
    return [draw.array(draw.image()), np.hstack([images, _boxes(draw, draw["rois"])])]


def _unpool_axes(op: str) -> Axes:
    return {
        "rank": (4, 3, 5), **IMAGES_WITH_ELEMENTS, "kernel": ((2, 2), (3, 2), (1, 3)),
        "strides": ((2, 2), LEFT_OUT, (3, 2)), "pads": (LEFT_OUT, "given"), "shape": (LEFT_OUT, "same", "larger"),
    }  # fmt: skip


def _unpool(draw: Draw) -> Inputs:
    shape = draw.image()
    rank = len(shape) - 2
    kernel = draw.spatial("kernel", rank)
    draw.set("kernel_shape", kernel)
    strides = (1,) * rank if draw["strides"] is LEFT_OUT else draw.spatial("strides", rank)
    if draw["strides"]:
        draw.set("strides", strides)
    padded = int(draw["pads"] == "given")
    if padded:
        draw.set("pads", (1,) * (2 * rank))
    sizes = [(shape[i + 2] - 1) * strides[i] + kernel[i] - 2 * padded for i in range(rank)]
    draw.require(min(sizes) > 0 and math.prod(sizes) >= math.prod(shape[2:]))
    whole = (*shape[:2], *sizes)
    places = draw.rng.permutation(math.prod(whole))[: math.prod(shape)].reshape(shape)  # no place twice
    inputs = [draw.array(shape), places]
    if draw["shape"] is LEFT_OUT:
        return inputs
    return [*inputs, draw.ints([*whole[:-1], whole[-1] + (draw["shape"] == "larger")])]


def _columns_axes(op: str) -> Axes:
    return {
        "batch": BATCH, "channels": (1, 3, 4, 5, 16, 17), "size": ((5, 7), (8, 8), (13, 11)),
        "block": ((2, 2), (1, 1), (3, 1), (1, 3)), "strides": (LEFT_OUT, (2, 2), (1, 2)),
        "dilations": (LEFT_OUT, (2, 2), (1, 2)), "pads": (LEFT_OUT, (1, 1, 1, 1), (1, 0, 0, 2)),
    }  # fmt: skip


def _columns(draw: Draw) -> Inputs:
    size, block = draw["size"], draw["block"]
    strides, dilations, pads = (
        draw[name] or (default,) * count
        for name, default, count in (("strides", 1, 2), ("dilations", 1, 2), ("pads", 0, 4))
    )
    for name in ("strides", "dilations", "pads"):
        if draw[name] is not LEFT_OUT:
            draw.set(name, draw[name])
    counts = [(size[i] + pads[i] + pads[i + 2] - dilations[i] * (block[i] - 1) - 1) // strides[i] + 1 for i in range(2)]
    columns = draw.array((draw["batch"], draw["channels"] * math.prod(block), math.prod(counts)))
    return [columns, draw.ints(size), draw.ints(block)]


def _deform_axes(op: str) -> Axes:
    return {
        **IMAGES_WITH_ELEMENTS, "filters": (4, 1, 5, 16), "kernel": ((3, 3), (1, 1), (2, 3)),
        "strides": (LEFT_OUT, (2, 1)), "dilations": (LEFT_OUT, (2, 1)), "pads": ((1, 1, 1, 1), LEFT_OUT, (1, 0, 2, 1)),
        "groups": (LEFT_OUT, 2), "offset groups": (LEFT_OUT, 2), "bias": (LEFT_OUT, "given"),
        "mask": (LEFT_OUT, "given"), "kernel_shape": (LEFT_OUT, "given"),
    }  # fmt: skip


def _deform(draw: Draw) -> Inputs:
    shape, kernel, filters = draw.image(), draw["kernel"], draw["filters"]
    groups, offset_groups = draw["groups"] or 1, draw["offset groups"] or 1
    draw.require(shape[1] % groups == 0 and shape[1] % offset_groups == 0 and filters % groups == 0)
    for name, axis in (("group", "groups"), ("offset_group", "offset groups"), ("strides", "strides"),
                       ("dilations", "dilations"), ("pads", "pads")):  # fmt: skip
        if draw[axis] is not LEFT_OUT:
            draw.set(name, draw[axis])
    strides, dilations, pads = draw["strides"] or (1, 1), draw["dilations"] or (1, 1), draw["pads"] or (0,) * 4
    sizes = [
        (shape[i + 2] + pads[i] + pads[i + 2] - dilations[i] * (kernel[i] - 1) - 1) // strides[i] + 1 for i in range(2)
    ]
    draw.require(min(sizes) > 0)
    if draw["kernel_shape"]:
        draw.set("kernel_shape", kernel)
    taps = offset_groups * math.prod(kernel)
    inputs = [
        draw.array(shape), draw.array((filters, shape[1] // groups, *kernel)),
        draw.array((shape[0], 2 * taps, *sizes)),
    ]  # fmt: skip
    bias = draw.array((filters,)) if draw["bias"] else None
    return [*inputs, bias, draw.array((shape[0], taps, *sizes), 0.0, 1.0) if draw["mask"] else None]


FAMILIES = (
    Family(("GridSample",), _grid_axes, _grid, frozenset({"mode"})),
    Family(
        ("AffineGrid",),
        lambda op: {"rank": (4, 5), **IMAGES_WITH_ELEMENTS, "attribute align_corners": ALIGN},
        _affine,
        constants=NOT_FIRST_ALONE,
    ),
    Family(("RoiAlign",), _roi_axes, _roi_align),
    Family(
        ("MaxRoiPool",),
        lambda op: {
            **IMAGES_WITH_ELEMENTS,
            "rois": ROIS,
            "pooled": ((2, 3), (1, 1), (5, 4)),
            "attribute spatial_scale": (LEFT_OUT, 0.5),
        },
        _roi_pool,
    ),
    Family(("MaxUnpool",), _unpool_axes, _unpool, constants=NOT_FIRST_ALONE),
    Family(("Col2Im",), _columns_axes, _columns),
    Family(("DeformConv",), _deform_axes, _deform),
)
