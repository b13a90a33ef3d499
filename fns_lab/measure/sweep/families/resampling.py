"""Resize and Upsample."""

from __future__ import annotations

import numpy as np

from fns_lab.measure.sweep.axes import IMAGES, LEFT_OUT
from fns_lab.measure.sweep.draw import Draw, Family, Inputs

RANKS = (4, 3, 5)
SCALES = (2.0, 1.0, 3.0, 1.5, 0.5, 0.6)
MODES = ("nearest", "linear", "cubic", LEFT_OUT)
COORDINATES = (
    LEFT_OUT, "asymmetric", "half_pixel", "align_corners", "pytorch_half_pixel", "tf_crop_and_resize",
    "half_pixel_symmetric",
)  # fmt: skip
ROUNDING = (LEFT_OUT, "floor", "ceil", "round_prefer_floor", "round_prefer_ceil")


def _resize(draw: Draw) -> Inputs:
    shape = draw.image()
    scales = [1.0, 1.0, *[draw["scale"]] * (len(shape) - 2)]
    if draw["one side"] == "last":
        scales[2:-1] = [1.0] * (len(shape) - 3)
    draw.require(draw.get("attribute coordinate_transformation_mode") != "half_pixel_symmetric" or draw.opset >= 19)
    x, first = draw.array(shape), 0
    if draw["axes"] == "of the image":
        first = 2
        draw.set("axes", tuple(range(first, len(shape))))
    resized = np.array(scales, np.float32)[first:]
    if draw.opset < 11:
        return [x, resized]
    is_cropped = draw.get("attribute coordinate_transformation_mode") == "tf_crop_and_resize"
    region = _region(2 - first, len(shape) - 2) if is_cropped else None
    if draw["given"] == "scales":
        return [x, region, resized]
    sizes = [int(size * scale) for size, scale in zip(shape, scales, strict=True)]
    return [x, region, None, draw.ints(sizes[first:])]


def _region(whole: int, cropped: int) -> np.ndarray:
    """Return the starts and ends of a region that has all of so many axes, and a part of so many after them."""
    return np.array([*[0.0] * whole, *[0.1] * cropped, *[1.0] * whole, *[0.8] * cropped], np.float32)


def _resized(draw: Draw) -> Inputs:
    inputs = _resize(draw)
    if draw.opset < 13 and draw.opset >= 11:  # the region of interest may be left out since opset 13 only
        return [np.zeros(0, np.float32) if array is None else array for array in inputs]
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
            "axes": (LEFT_OUT, "of the image"),
            "attribute mode": MODES,
            "attribute coordinate_transformation_mode": COORDINATES,
            "attribute nearest_mode": ROUNDING,
            "attribute antialias": (LEFT_OUT, 0, 1),
            "attribute cubic_coeff_a": (LEFT_OUT, -0.5, 0.0),
            "attribute exclude_outside": (LEFT_OUT, 0, 1),
            "attribute extrapolation_value": (LEFT_OUT, 0.0, 1.5),
            "attribute keep_aspect_ratio_policy": (LEFT_OUT, "stretch", "not_larger", "not_smaller"),
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
