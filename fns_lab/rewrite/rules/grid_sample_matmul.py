"""GridSample as one matrix product with weights that are computed from the grid.

    y[n, c, p] = sum over pixels (i, j) of x[n, c, i, j] k(v[p] - i) k(u[p] - j)

u, v are the coordinates of point p in pixels, `(N, P, 1)`, and k is the kernel of the mode as a function of the
distance, which Abs and Relu write: 1 - |d| for linear, the same of the rounded coordinate for nearest, Keys'
polynomials for cubic. The weights of each axis, `(N, P, H)` and `(N, P, W)`, are multiplied to `(N, P, H W)`. Points
and taps outside the image are clipped or reflected as padding_mode says; with zeros no pixel is near them.

- Supported: GridSample 16, 20 and 22, any number of spatial axes, all modes, fixed shapes, constant or computed grid;
  weights of at most 2^24 elements.
- Fidelity: rounding.
- Needed by: targets below opset 16, where the op does not exist.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, node_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer, scalar

MOST_ELEMENTS = 2**24
"""Most weights, in float32 values: 64 MB."""
MODES = {"bilinear": "linear", "bicubic": "cubic"}
"""Names of before opset 20."""
CUBIC = -0.75
EXACT_TIE = 2.0**26
"""Times a distance between float32 numbers below 1, it is 0 or at least 1."""


class Sampling(NamedTuple):
    """How an axis of `size` pixels is sampled."""

    size: int
    mode: str
    padding: str
    aligned: bool

    @property
    def limits(self) -> tuple[float, float]:
        """Return the coordinates at which points are reflected."""
        return (0.0, self.size - 1.0) if self.aligned else (-0.5, self.size - 0.5)


class GridSampleMatMul(OpRule):
    NAME = "grid-sample-matmul"
    FIDELITY = "rounding"
    EMITS = ("Abs", "Add", "Floor", "Gather", "MatMul", "Mul", "Relu", "Reshape", "Sub", "Transpose")
    OPS = ("GridSample",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        grid = node_input(producer(y), 1)
        points, pixels = math.prod(fixed_shape(grid)[:-1]), math.prod(fixed_shape(x)[2:])
        if points * pixels > MOST_ELEMENTS:
            raise Refusal(f"the weights would have {points * pixels} elements, more than {MOST_ELEMENTS}")
        for axis in _axes(producer(y)):
            if axis.padding == "reflection" and axis.limits[0] == axis.limits[1]:
                raise Refusal("an axis of one pixel is reflected at its own position")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node, (n, channels, *sizes) = producer(y), fixed_shape(x)
        grid = node_input(node, 1)
        _, *out, dimensions = fixed_shape(grid)
        points = math.prod(out)
        flat = self.reshape(op, grid, (n, points, dimensions), f"{y.name}.points")
        weights: ir.Value | None = None
        count = 1
        for i, axis in enumerate(_axes(node)):
            write = _Writer(op, grid, f"{y.name}.axis{2 + i}")
            index = initializer(op, np.array([dimensions - 1 - i]), f"{y.name}.axis{2 + i}_index")
            own = _weights(write, op.Gather(flat, index, axis=2, _outputs=[write.name]), axis)
            if weights is None:
                weights, count = own, axis.size
                continue
            rows = self.reshape(op, weights, (n, points, count, 1), f"{write.name}_rows")
            columns = self.reshape(op, own, (n, points, 1, axis.size), f"{write.name}_columns")
            count *= axis.size
            product = op.Mul(rows, columns, _outputs=[f"{write.name}_product"])
            weights = self.reshape(op, product, (n, points, count), f"{write.name}_weights")
        turned = op.Transpose(weights, perm=[0, 2, 1], _outputs=[f"{y.name}.weights"])
        pixels = self.reshape(op, x, (n, channels, math.prod(sizes)), f"{y.name}.pixels")
        sampled = op.MatMul(pixels, turned, _outputs=[f"{y.name}.sampled"])
        return self.reshape(op, sampled, (n, channels, *out), str(y.name))


class _Writer:
    """Writes arithmetic with constants; every value is named after `name`."""

    def __init__(self, op: RewriterContext, like: ir.Value, name: str) -> None:
        self.op, self.like, self.name = op, like, name

    def __call__(self, kind: str, *operands: ir.Value | float | np.ndarray) -> ir.Value:
        """Add a node; numbers and arrays become constants."""
        return self.op.op(kind, *(self._constant(operand) for operand in operands), _outputs=[self.name])

    def _constant(self, operand: ir.Value | float | np.ndarray) -> ir.Value:
        if isinstance(operand, ir.Value):
            return operand
        if isinstance(operand, np.ndarray):
            return initializer(self.op, operand.astype(np.float32), f"{self.name}_constant")
        return scalar(self.op, self.like, operand, f"{self.name}_number")


def _axes(node: ir.Node) -> list[Sampling]:
    attributes = node.attributes
    mode = attributes.get_string("mode", "linear")
    padding = attributes.get_string("padding_mode", "zeros")
    aligned = bool(attributes.get_int("align_corners", 0))
    return [Sampling(n, MODES.get(mode, mode), padding, aligned) for n in fixed_shape(node.inputs[0])[2:]]


def _weights(write: _Writer, position: ir.Value, axis: Sampling) -> ir.Value:
    """Return the weight of each pixel of the axis for each point, `(N, P, size)`; `position` is -1 to 1."""
    half = (axis.size - 1) / 2
    u = write("Add", write("Mul", position, half if axis.aligned else axis.size / 2), half)
    if axis.mode == "nearest":
        u = _rounded(write, u)
    if axis.padding == "reflection":
        u = _reflected(write, u, *axis.limits)
    if axis.mode == "cubic":
        return _cubic_weights(write, u, axis)
    if axis.padding != "zeros":
        u = _at_most(write, write("Relu", u), axis.size - 1.0)
    distance = write("Abs", write("Sub", u, np.arange(axis.size)))
    return write("Relu", write("Sub", 1.0, distance))


def _reflected(write: _Writer, u: ir.Value, low: float, high: float) -> ir.Value:
    """Return low + r - |m - r| with r = high - low and m = (u - low) mod 2 r."""
    r = high - low
    t = write("Sub", u, low)
    turns = write("Floor", write("Mul", t, 0.5 / r))
    m = write("Sub", t, write("Mul", turns, 2 * r))
    return write("Sub", high, write("Abs", write("Sub", m, r)))


def _at_most(write: _Writer, u: ir.Value, limit: float) -> ir.Value:
    """Return the smaller one of u and a limit, also for u far from it."""
    return write("Sub", limit, write("Relu", write("Sub", limit, u)))


def _rounded(write: _Writer, u: ir.Value) -> ir.Value:
    """Return the nearest integer, of two the even one: f + floor(2 d) less 1 for a tie above an even f; f + d = u."""
    f = write("Floor", u)
    d = write("Sub", u, f)
    up = write("Add", f, write("Floor", write("Mul", d, 2.0)))
    tie = write("Relu", write("Sub", 1.0, write("Mul", write("Abs", write("Sub", d, 0.5)), EXACT_TIE)))
    odd = write("Sub", f, write("Mul", write("Floor", write("Mul", f, 0.5)), 2.0))
    return write("Sub", up, write("Mul", tie, write("Sub", 1.0, odd)))


def _cubic_weights(write: _Writer, u: ir.Value, axis: Sampling) -> ir.Value:
    """Return near(min(d, 1)) + far(max(min(d, 2), 1)), of which one is 0 at any distance d.

    Taps outside count for the pixel that the padding puts there. From two pixels outside on all of them are outside.
    """
    taps = np.arange(-4, axis.size + 4)
    if axis.padding == "border":
        u = write("Sub", _at_most(write, write("Relu", write("Add", u, 2.0)), axis.size + 3.0), 2.0)
    d = write("Abs", write("Sub", u, taps))
    near, far = _at_most(write, d, 1.0), _at_most(write, d, 2.0)
    far = write("Add", write("Relu", write("Sub", far, 1.0)), 1.0)
    inner = _polynomial(write, near, [CUBIC + 2, -(CUBIC + 3), 0.0, 1.0])
    outer = _polynomial(write, far, [CUBIC, -5 * CUBIC, 8 * CUBIC, -4 * CUBIC])
    return write("MatMul", write("Add", inner, outer), _tap_pixels(taps, axis))


def _polynomial(write: _Writer, x: ir.Value, coefficients: list[float]) -> ir.Value:
    result = write("Mul", x, coefficients[0])
    for coefficient in coefficients[1:-1]:
        result = write("Mul", write("Add", result, coefficient), x)
    return write("Add", result, coefficients[-1])


def _tap_pixels(taps: np.ndarray, axis: Sampling) -> np.ndarray:
    """Return the matrix that adds the weight of each tap to the pixel that stands there, `(taps, size)`."""
    low, high = axis.limits
    if axis.padding == "reflection":
        r = high - low
        taps = np.rint(high - np.abs((taps - low) % (2 * r) - r)).astype(int)
    if axis.padding != "zeros":
        taps = np.clip(taps, 0, axis.size - 1)
    return np.asarray(taps[:, None] == np.arange(axis.size), np.float32)
