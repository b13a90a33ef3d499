"""Which values of the old axis each value of a resized one is made of, by the formulas of ONNX's Resize.

Coordinates are computed in float32 as ONNX Runtime does, so that ties fall on the same side.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, fixed_shape
from fns_lab.rewrite.rule import Refusal

F32 = np.float32
TIE = 1e-5
"""A coordinate so near the middle of two values is in the middle, as in ONNX Runtime: 1 / (2 / 7) is 3.5."""
CUBIC = -0.75
"""ONNX's default for `cubic_coeff_a`."""


class Axis(NamedTuple):
    """One axis of a resized value: old size, new size, and the scale that coordinates are computed with."""

    old: int
    new: int
    scale: float


def resized_axes(node: ir.Node) -> list[Axis]:
    """Every axis of what a Resize or Upsample of any opset reads. Raises `NodeError`."""
    attributes, old = node.attributes, fixed_shape(node.inputs[0])
    if attributes.get_string("keep_aspect_ratio_policy", "stretch") != "stretch":
        raise Refusal("it keeps the aspect ratio of sizes that are limits")
    if attributes.get_int("antialias", 0):
        raise Refusal("it smooths before it samples (antialias)")
    if "scales" in attributes:
        scales = list(attributes["scales"].as_floats())
    else:
        scales = constant_input(node, 1 if node.op_type == "Upsample" or len(node.inputs) == 2 else 2)
    axes = attributes.get_ints("axes", list(range(len(old))))
    if scales is not None and len(scales):
        given = {a % len(old): Axis(old[a], int(old[a] * s), float(s)) for a, s in zip(axes, scales, strict=True)}
    else:
        sizes = constant_input(node, 3)
        given = {a % len(old): Axis(old[a], int(m), float(m / old[a])) for a, m in zip(axes, sizes, strict=True)}
    return [given.get(a, Axis(n, n, 1.0)) for a, n in enumerate(old)]


def sources(node: ir.Node, axis: Axis) -> np.ndarray:
    """The index that each value of the new axis is a copy of, `(new,)`, in mode nearest."""
    x = _with_ties(_coordinates(node, axis))
    rounding = {
        "floor": np.floor,
        "ceil": np.ceil,
        "round_prefer_floor": lambda v: np.ceil(v - F32(0.5)),
        "round_prefer_ceil": lambda v: np.floor(v + F32(0.5)),
    }
    how = "floor" if _old_form(node) else node.attributes.get_string("nearest_mode", "round_prefer_floor")
    return np.clip(rounding[how](x), 0, axis.old - 1).astype(np.int64)


def _with_ties(x: np.ndarray) -> np.ndarray:
    middle = np.floor(x) + F32(0.5)
    return np.where(np.abs(x - middle) < TIE, middle, x)


def weights(node: ir.Node, axis: Axis) -> np.ndarray:
    """The matrix, float32 `(new, old)`, that makes the new axis of the old one, in mode linear or cubic."""
    x = _coordinates(node, axis)
    mode = node.attributes.get_string("mode", "nearest")
    if mode == "linear":
        x = np.clip(x, 0, axis.old - 1)
        taps, kernel = (0, 1), _linear
    elif mode == "cubic" and not node.attributes.get_int("exclude_outside", 0):
        taps, kernel = (-1, 0, 1, 2), _cubic(node.attributes.get_float("cubic_coeff_a", CUBIC))
    else:
        raise Refusal(f"{node.op_type} in mode {mode} with these attributes")
    matrix, low = np.zeros((axis.new, axis.old)), np.floor(x).astype(int)
    for tap in taps:
        np.add.at(
            matrix,
            (np.arange(axis.new), np.clip(low + tap, 0, axis.old - 1)),
            kernel(np.abs(x - (low + tap)).astype(np.float64)),
        )
    return matrix.astype(F32)


def _linear(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1 - distance, 0)


def _cubic(a: float):
    def kernel(d: np.ndarray) -> np.ndarray:
        near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return kernel


def _old_form(node: ir.Node) -> bool:
    """Upsample and Resize 10 know one way only."""
    return node.op_type == "Upsample" or len(node.inputs) == 2


def _coordinates(node: ir.Node, axis: Axis) -> np.ndarray:
    how = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    how = "asymmetric" if _old_form(node) else how
    i, (n, m, s) = np.arange(axis.new, dtype=F32), axis
    if m == n and s == 1:
        return i
    if how == "asymmetric":
        return i / F32(s)
    if how == "align_corners":
        if not np.isclose(n * s, m):
            raise Refusal("it aligns the corners of a size that is no whole number, which has two readings")
        return i * F32(n - 1) / F32(m - 1) if m > 1 else i
    if how == "pytorch_half_pixel" and m == 1:
        return i
    if how in ("half_pixel", "pytorch_half_pixel"):
        return (i + F32(0.5)) / F32(s) - F32(0.5)
    if how == "half_pixel_symmetric":
        offset = n / 2 * (1 - m / (n * s))
        return F32(offset) + (i + F32(0.5)) / F32(s) - F32(0.5)
    raise Refusal(f"{node.op_type} with coordinates {how}")
