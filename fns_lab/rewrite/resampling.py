"""Which elements of the old axis make up each element of a resized one, by the formulas of ONNX's Resize.

Coordinates are computed in float32 as in ONNX Runtime, so that ties are rounded to the same side.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, constant_input, fixed_shape, from_the_front, node_input
from fns_lab.rewrite.rule import Refusal

F32 = np.float32
TIE = 1e-5
"""A coordinate this close to the middle of two elements is in the middle, as in ONNX Runtime: 1 / (2 / 7) is 3.5."""
CUBIC = -0.75
"""ONNX's default for `cubic_coeff_a`."""


class Axis(NamedTuple):
    """One axis of a resized value: old size, new size, and the scale that coordinates are computed with."""

    old: int
    new: int
    scale: float


def resized_axes(node: ir.Node) -> list[Axis]:
    """Return every axis of a Resize or Upsample of any opset. Raises `NodeError` if scales or sizes are computed."""
    attributes, old = node.attributes, fixed_shape(node_input(node, 0))
    if (policy := attributes.get_string("keep_aspect_ratio_policy", "stretch")) != "stretch":
        raise Refusal(f"keep_aspect_ratio_policy is {policy}, stretch is needed")
    if attributes.get_int("antialias", 0):
        raise Refusal("antialias is 1, 0 is needed")
    if 0 in old:
        raise Refusal("the value to resize has no elements")
    axes = [from_the_front(axis, len(old)) for axis in attributes.get_ints("axes", range(len(old)))]
    if (scales := _scales(node)) is not None and len(scales):
        given = {a: Axis(old[a], _new_size(old[a], float(s)), float(s)) for a, s in zip(axes, scales, strict=True)}
    else:
        sizes = constant_array(node_input(node, 3))
        given = {a: Axis(old[a], int(m), float(m / old[a])) for a, m in zip(axes, sizes, strict=True)}
    return [given.get(a, Axis(n, n, 1.0)) for a, n in enumerate(old)]


def _new_size(old: int, scale: float) -> int:
    """Return the size of a resized axis. Raises `Refusal` where float32 rounds the product up to the next integer.

    Then ONNX Runtime has one element more than ONNX's shape inference says: 5 by the float32 1.4 is 7 or 6.
    """
    if int(F32(old) * F32(scale)) != int(old * scale):
        raise Refusal(f"{old} x {scale:.9g} elements are rounded to different sizes by different engines")
    return int(old * scale)


def _scales(node: ir.Node) -> np.ndarray | list[float] | None:
    if "scales" in node.attributes:
        return list(node.attributes["scales"].as_floats())
    return constant_input(node, 1 if _before_opset_11(node) else 2)


def sources(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return the old index that each element of the new axis copies, `(new,)`, in mode nearest."""
    x = _with_ties(_coordinates(node, axis))
    if _before_opset_11(node):
        rounding = "floor"
    else:
        rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor")
    indices: np.ndarray = np.clip(ROUNDINGS[rounding](x), 0, axis.old - 1)
    return indices.astype(np.int64)


ROUNDINGS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "floor": np.floor,
    "ceil": np.ceil,
    "round_prefer_floor": lambda x: np.ceil(x - F32(0.5)),
    "round_prefer_ceil": lambda x: np.floor(x + F32(0.5)),
}
"""How a coordinate becomes an index, by `nearest_mode`."""


def _with_ties(x: np.ndarray) -> np.ndarray:
    middle = np.floor(x) + F32(0.5)
    return np.where(np.abs(x - middle) < TIE, middle, x)


def weights(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return the matrix that maps the old axis to the new one, float32 `(new, old)`, in mode linear or cubic."""
    x = _coordinates(node, axis)
    taps, kernel = _interpolation(node)
    if len(taps) == 2:
        x = np.clip(x, 0, axis.old - 1)
    matrix, low = np.zeros((axis.new, axis.old)), np.floor(x).astype(int)
    for tap in taps:
        np.add.at(
            matrix,
            (np.arange(axis.new), np.clip(low + tap, 0, axis.old - 1)),
            kernel(np.abs(x - (low + tap)).astype(np.float64)),
        )
    return matrix.astype(F32)


def _interpolation(node: ir.Node) -> tuple[tuple[int, ...], Callable[[np.ndarray], np.ndarray]]:
    """Return the offsets of the elements that are mixed, and their weight as a function of the distance."""
    mode = node.attributes.get_string("mode", "nearest")
    if mode == "linear":
        return (0, 1), _linear
    if mode == "cubic" and not node.attributes.get_int("exclude_outside", 0):
        return (-1, 0, 1, 2), _cubic(node.attributes.get_float("cubic_coeff_a", CUBIC))
    if mode == "cubic":
        raise Refusal("exclude_outside is 1, 0 is needed")
    raise Refusal(f"the {node.op_type} has mode {mode}, linear or cubic is needed")


def _linear(distance: np.ndarray) -> np.ndarray:
    weight: np.ndarray = np.maximum(1 - distance, 0)
    return weight


def _cubic(a: float) -> Callable[[np.ndarray], np.ndarray]:
    def kernel(d: np.ndarray) -> np.ndarray:
        near, far = ((a + 2) * d - (a + 3)) * d * d + 1, ((a * d - 5 * a) * d + 8 * a) * d - 4 * a
        return np.where(d <= 1, near, np.where(d < 2, far, 0))

    return kernel


def _before_opset_11(node: ir.Node) -> bool:
    """Return whether a node is an Upsample or a Resize 10, which have neither coordinate nor rounding modes."""
    return node.op_type == "Upsample" or len(node.inputs) == 2


def _coordinates(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return the old coordinate of each element of the new axis, float32 `(new,)`."""
    mode = node.attributes.get_string("coordinate_transformation_mode", "half_pixel")
    mode = "asymmetric" if _before_opset_11(node) else mode
    i, (n, m, s) = np.arange(axis.new, dtype=F32), axis
    if m == n and s == 1:
        return i
    if mode == "asymmetric":
        return i / F32(s)
    if mode == "align_corners":
        if not np.isclose(n * s, m):
            raise Refusal(f"align_corners by {s:g} from {n} to {m} elements is defined only if {n} x {s:g} is {m}")
        return i * F32(n - 1) / F32(m - 1) if m > 1 else i
    if mode == "pytorch_half_pixel" and m == 1:
        return i
    if mode in ("half_pixel", "pytorch_half_pixel"):
        return (i + F32(0.5)) / F32(s) - F32(0.5)
    if mode == "half_pixel_symmetric":
        offset = n / 2 * (1 - m / (n * s))
        return F32(offset) + (i + F32(0.5)) / F32(s) - F32(0.5)
    raise Refusal(f"coordinate_transformation_mode is {mode}, which no rule supports")
