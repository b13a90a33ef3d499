"""Which elements of the old axis make up each element of a resized one, by the formulas of ONNX's Resize.

Coordinates are computed in float32 as in ONNX Runtime, so that ties are rounded to the same side.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import (
    ROUNDINGS,
    constant_array,
    constant_input,
    fixed_shape,
    from_the_front,
    node_input,
    required_constant,
)
from fns_lab.rewrite.rule import Refusal

F32 = np.float32
"""NumPy's float32."""
TIE = 1e-5
"""A coordinate this close to the middle of two elements is in the middle, as in ONNX Runtime: 1 / (2 / 7) is 3.5."""
CUBIC = -0.75
"""ONNX's default for `cubic_coeff_a`."""
CROP = "tf_crop_and_resize"
"""The coordinates that begin and end inside or outside the old axis, as the input `roi` says."""


class Axis(NamedTuple):
    """One axis of a resized value.

    - `old`, `new`: the sizes
    - `scale`: what coordinates are computed with
    - `start`, `end`: the part of the old axis that is resized, in coordinates `CROP`: 0 to 1 is all of it
    """

    old: int
    new: int
    scale: float
    start: float = 0.0
    end: float = 1.0

    @property
    def is_kept(self) -> bool:
        """Whether the new axis is the old one."""
        return self.old == self.new and self.scale == 1 and (self.start, self.end) == (0, 1)


def resized_axes(node: ir.Node) -> list[Axis]:
    """Return every axis of a Resize or Upsample of any opset. Raises `NodeError` if scales or sizes are computed."""
    old = fixed_shape(node_input(node, 0))
    if 0 in old:
        raise Refusal("the value to resize has no elements")
    axes = [from_the_front(axis, len(old)) for axis in node.attributes.get_ints("axes", range(len(old)))]
    parts = _parts(node, len(axes))
    if (scales := _scales(node)) is not None and len(scales):
        if coordinate_mode(node) == CROP:
            raise Refusal(f"the size of {CROP} by scales: ONNX Runtime does not compute it as the operator's text says")
        sizes = [_new_size(old[a], float(s)) for a, s in zip(axes, scales, strict=True)]
    else:
        sizes, scales = _stated_sizes(node, [old[a] for a in axes])
    given = {a: Axis(old[a], m, float(s), *part) for a, m, s, part in zip(axes, sizes, scales, parts, strict=True)}
    for axis in given.values():
        if axis.scale == 1 and not axis.is_kept:
            raise Refusal(f"ONNX Runtime does not crop an axis of {axis.old} elements that it need not resize")
    return [given.get(a, Axis(n, n, 1.0)) for a, n in enumerate(old)]


def _new_size(old: int, scale: float) -> int:
    """Return the size of a resized axis. Raises `Refusal` where float32 rounds the product up to the next integer.

    Then ONNX Runtime has one element more than ONNX's shape inference says: 5 by the float32 1.4 is 7 or 6.
    """
    if int(F32(old) * F32(scale)) != int(old * scale):
        raise Refusal(f"{old} x {scale:.9g} elements are rounded to different sizes by different engines")
    return int(old * scale)


def _parts(node: ir.Node, count: int) -> list[tuple[float, float]]:
    """Return start and end of the part of each axis that is resized."""
    if coordinate_mode(node) != CROP:
        return [(0.0, 1.0)] * count
    limits = [float(limit) for limit in required_constant(node, 1)]
    return list(zip(limits[:count], limits[count:], strict=True))


def _scales(node: ir.Node) -> np.ndarray | list[float] | None:
    if "scales" in node.attributes:
        return list(node.attributes["scales"].as_floats())
    return constant_input(node, 1 if _before_opset_11(node) else 2)


def _stated_sizes(node: ir.Node, old: list[int]) -> tuple[list[int], list[float]]:
    """Return the new sizes and the scales that follow from the input `sizes`."""
    sizes = [int(size) for size in constant_array(node_input(node, 3))]
    scales = [size / n for size, n in zip(sizes, old, strict=True)]
    policy = node.attributes.get_string("keep_aspect_ratio_policy", "stretch")
    if policy == "stretch":
        return sizes, scales
    scale = min(scales) if policy == "not_larger" else max(scales)
    return [math.floor(scale * n + 0.5) for n in old], [scale] * len(old)


def sources(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return the old index that each element of the new axis copies, `(new,)`, in mode nearest."""
    x = _with_ties(_coordinates(node, axis))
    if _before_opset_11(node):  # as in onnx's own test of Resize 10 and in ONNX Runtime
        rounding = "ceil" if axis.scale < 1 else "floor"
    else:
        rounding = node.attributes.get_string("nearest_mode", "round_prefer_floor")
    indices: np.ndarray = np.clip(ROUNDINGS[rounding](x), 0, axis.old - 1)
    return indices.astype(np.int64)


def outside(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return which elements of the new axis are the extrapolation value, `(new,)`."""
    if coordinate_mode(node) != CROP or axis.is_kept:
        return np.zeros(axis.new, bool)
    single, double = (
        (x < 0) | (x > axis.old - 1) for x in (_coordinates(node, axis), _crop(np.arange(float(axis.new)), axis))
    )
    if (single != double).any():
        raise Refusal("a coordinate is so near the edge that rounding decides whether it is outside")
    return np.asarray(single)


def extrapolation(node: ir.Node) -> float:
    """Return the value of elements outside the old axes."""
    return node.attributes.get_float("extrapolation_value", 0.0)


def _with_ties(x: np.ndarray) -> np.ndarray:
    middle = np.floor(x) + F32(0.5)
    return np.where(np.abs(x - middle) < TIE, middle, x)


def weights(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return the matrix that maps the old axis to the new one, float32 `(new, old)`, in mode linear or cubic.

    A row is 0 where the element is the extrapolation value.
    """
    x = _coordinates(node, axis).astype(np.float64)[:, None]
    radius, kernel = _kernel(node)
    narrow = min(axis.scale, 1.0) if node.attributes.get_int("antialias", 0) else 1.0
    reach = math.ceil(radius / narrow)
    taps = np.floor(x).astype(int) + np.arange(1 - reach, reach + 1)
    parts = kernel(np.abs(taps - x) * narrow)
    if node.attributes.get_int("exclude_outside", 0):
        parts = np.where((taps >= 0) & (taps < axis.old), parts, 0)
    parts /= parts.sum(axis=1, keepdims=True)
    matrix = np.zeros((axis.new, axis.old))
    np.add.at(matrix, (np.arange(axis.new)[:, None], np.clip(taps, 0, axis.old - 1)), parts)
    matrix[outside(node, axis)] = 0
    return matrix.astype(F32)


def _kernel(node: ir.Node) -> tuple[int, Callable[[np.ndarray], np.ndarray]]:
    """Return how far away elements are mixed, and their weight as a function of the distance."""
    mode = node.attributes.get_string("mode", "nearest")
    if mode in ("linear", "bilinear"):
        return 1, _linear
    if mode == "cubic":
        return 2, _cubic(node.attributes.get_float("cubic_coeff_a", CUBIC))
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


def coordinate_mode(node: ir.Node) -> str:
    """Return how a coordinate of the new axis becomes one of the old axis."""
    if _before_opset_11(node):
        return "asymmetric"
    return node.attributes.get_string("coordinate_transformation_mode", "half_pixel")


def _coordinates(node: ir.Node, axis: Axis) -> np.ndarray:
    """Return the old coordinate of each element of the new axis, float32 `(new,)`."""
    mode, (n, m, s) = coordinate_mode(node), axis[:3]
    i = np.arange(m, dtype=F32)
    if axis.is_kept:
        return i
    if mode == "align_corners" and not np.isclose(n * s, m):
        raise Refusal(f"align_corners by {s:g} from {n} to {m} elements is defined only if {n} x {s:g} is {m}")
    if mode not in FORMULAS:
        raise Refusal(f"coordinate_transformation_mode is {mode}, which no rule supports")
    return FORMULAS[mode](i, axis)


def _align_corners(i: np.ndarray, axis: Axis) -> np.ndarray:
    return i * F32(axis.old - 1) / F32(axis.new - 1) if axis.new > 1 else i


def _half_pixel(i: np.ndarray, axis: Axis) -> np.ndarray:
    return (i + F32(0.5)) / F32(axis.scale) - F32(0.5)


def _half_pixel_symmetric(i: np.ndarray, axis: Axis) -> np.ndarray:
    offset = F32(axis.old / 2) * (1 - F32(axis.new) / (F32(axis.scale) * F32(axis.old)))
    return offset + (i + F32(0.5)) / F32(axis.scale) - F32(0.5)


def _crop(i: np.ndarray, axis: Axis) -> np.ndarray:
    """Return the coordinates in the precision of `i`."""
    last, start, end = (i.dtype.type(number) for number in (axis.old - 1, axis.start, axis.end))
    if axis.new == 1:
        return np.asarray(i + (start + end) * last / 2, i.dtype)
    return np.asarray(start * last + i * (end - start) * last / i.dtype.type(axis.new - 1))


FORMULAS: dict[str, Callable[[np.ndarray, Axis], np.ndarray]] = {
    "asymmetric": lambda i, axis: i / F32(axis.scale),
    "align_corners": _align_corners,
    "half_pixel": _half_pixel,
    "half_pixel_symmetric": _half_pixel_symmetric,
    "pytorch_half_pixel": lambda i, axis: _half_pixel(i, axis) if axis.new > 1 else i,
    "tf_half_pixel_for_nn": lambda i, axis: (i + F32(0.5)) / F32(axis.scale),
    CROP: _crop,
}
"""The old coordinates of the indices of the new axis, by `coordinate_transformation_mode`."""
