"""Resize and Upsample."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT
from fns_lab.measure.sweep.draw import Draw, Family, Inputs

RANKS = (4, 3, 5)
SCALES = (2.0, 1.0, 3.0, 1.5, 0.5, 0.6)
MODES = ("nearest", "linear", "cubic", LEFT_OUT)
COORDINATES = (LEFT_OUT, "asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel")
ROUNDING = (LEFT_OUT, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def _resize(draw: Draw) -> Inputs:
    shape = draw.image()
    scales = [1.0, 1.0, *[draw["scale"]] * (len(shape) - 2)]
    if draw["one side"] == "last":
        scales[2:-1] = [1.0] * (len(shape) - 3)
    x = draw.array(shape)
    if draw["given"] == "scales":
        return [x, np.array(scales, np.float32)] if draw.opset < 11 else [x, None, np.array(scales, np.float32)]
    draw.require(draw.opset >= 11)
    sizes = [int(size * scale) for size, scale in zip(shape, scales, strict=True)]
    return [x, None, None, draw.ints(sizes)]


def _resized(draw: Draw) -> Inputs:
    inputs = _resize(draw)
    if draw.opset < 13 and draw.opset >= 11:  # the region of interest may be left out since opset 13 only
        return [inputs[0], np.zeros(0, np.float32), *[np.zeros(0, np.float32) if i is None else i for i in inputs[2:]]]
    return inputs


def _upsample(draw: Draw) -> Inputs:
    shape = draw.image()
    scales = (1.0, 1.0, *[draw["scale"]] * (len(shape) - 2))
    draw.require(min(scales) >= 1)
    if "scales" in draw.schema.attributes:
        draw.set("scales", scales)
        return [draw.array(shape)]
    return [draw.array(shape), np.array(scales, np.float32)]


FAMILIES = (
    Family(
        ("Resize",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "scale": SCALES,
            "one side": ("both", "last"),
            "given": ("scales", "sizes"),
            "attribute mode": MODES,
            "attribute coordinate_transformation_mode": COORDINATES,
            "attribute nearest_mode": ROUNDING,
            "attribute antialias": (LEFT_OUT, 0, 1),
            "attribute cubic_coeff_a": (LEFT_OUT, -0.5),
        },
        _resized,
        weight=2.0,
    ),
    Family(
        ("Upsample",),
        lambda op: {
            "rank": RANKS,
            **IMAGES,
            "scale": (2.0, 1.0, 3.0, 1.5),
            "attribute mode": (LEFT_OUT, "nearest", "linear"),
        },
        _upsample,
    ),
)
