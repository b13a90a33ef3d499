"""A convolution with half the products: four rows of the result at once, by Winograd's F(4, 3).

Three taps w over rows d give four rows y from six, and twelve products. Seen as polynomials, they are values at six
points, and six products d'_j w'_j are enough:

    y = A ((G w) * (B d)),    w (3,), d (6,), y (4,),    A (4, 6), G (6, 3), B (6, 6)

B and A are MatMuls over all channels and tiles at once, and G w is computed here. In each row, along its width, it
stays a convolution: one Conv of 1 x L with a group for each of the six. A kernel of K rows is ceil(K / 3) bands of
three, which read rows further down, as more channels. One Gather of whole rows, T tiles of them, lays all this out:

    x (1, C, H, W)  ->  Gather (6, C ceil(K / 3), T, W)  ->  B x  ->  Conv (1, 6 C', T, W')  ->  A x  (4, C' T W')
                    ->  Transpose (C', T, 4, W')  ->  y (1, C', 4 T, W'), less the rows past the last

Fidelity: rounding. With the points 0, 1, -1, 1/2, -2 and infinity its largest error is two to three times that of a
direct sum over 16 to 256 channels. Winograd 1980; for convolutions Lavin and Gray 2015, arXiv 1509.09308; the points
after Barabasz et al. 2018, arXiv 1803.10986.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.convolution import ConvForm, biases, plain_conv_of_one
from fns_lab.rewrite.rule import Refusal, initializer

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
"""All but the last, infinity. The one at BIAS_POINT is 1: what is added to its product is added to every row."""
BIAS_POINT = 1
TAPS = 3
READ = len(POINTS) + 1
"""Rows that a tile reads."""
WRITTEN = READ - TAPS + 1
"""Rows that a tile writes."""


class ConvWinograd(ConvForm):
    NAME = "conv-winograd"
    FIDELITY = "rounding"
    EMITS = ("Gather", "Reshape", "MatMul", "Conv", "Transpose", "Concat", "Slice")

    def guard(self, x: ir.Value, w: ir.Value, y: ir.Value) -> None:
        plain_conv_of_one(x, w, y)
        if constant_array(w).shape[2] == 1:
            raise Refusal("the kernel is one row high")
        if fixed_shape(y)[2] < WRITTEN:
            raise Refusal(f"the result has fewer than {WRITTEN} rows")

    def rewrite(self, op, x: ir.Value, w: ir.Value, y: ir.Value) -> ir.Value:
        kernel, (_, c_out, h_out, w_out) = constant_array(w), fixed_shape(y)
        width, tiles = fixed_shape(x)[3], -(-h_out // WRITTEN)
        top, left, bottom, right = y.producer().attributes.get_ints("pads", [0, 0, 0, 0])
        a, g, b = _transforms()

        lines = _lines(fixed_shape(x), kernel.shape[2], tiles, top, bottom)
        channels = lines.shape[1]
        rows = self._gathered(op, x, lines, y.name)
        rows = self.reshape(op, rows, (READ, channels * tiles * width), f"{y.name}.tiles_flat")
        to_points = initializer(op, b.astype(np.float32), f"{y.name}.to_points")
        values = op.MatMul(to_points, rows, _outputs=[f"{y.name}.values"])
        products = op.Conv(
            self.reshape(op, values, (1, READ * channels, tiles, width), f"{y.name}.by_point"),
            *self._kernels(op, y, kernel, g),
            group=READ,
            kernel_shape=[1, kernel.shape[3]],
            pads=[0, left, 0, right],
            _outputs=[f"{y.name}.products"],
        )
        products = self.reshape(op, products, (READ, c_out * tiles * w_out), f"{y.name}.products_flat")
        found = op.MatMul(
            initializer(op, a.astype(np.float32), f"{y.name}.from_points"), products, _outputs=[f"{y.name}.found"]
        )
        found = self.reshape(op, found, (WRITTEN, c_out, tiles, w_out), f"{y.name}.by_row")
        found = op.Transpose(found, perm=[1, 2, 0, 3], _outputs=[f"{y.name}.in_order"])
        if WRITTEN * tiles == h_out:
            return self.reshape(op, found, (1, c_out, h_out, w_out), y.name)
        whole = self.reshape(op, found, (1, c_out, WRITTEN * tiles, w_out), f"{y.name}.with_rows_past_the_last")
        return self.slice(op, whole, [0], [h_out], [2], f"{y.name}.rows")

    def _gathered(self, op, x: ir.Value, lines: np.ndarray, name: str) -> ir.Value:
        """The rows of x `(1, C, H, W)` that `lines` counts, `(*lines.shape, W)`; the one after the last is zeros."""
        _, c, h, width = fixed_shape(x)
        found = self.reshape(op, x, (c * h, width), f"{name}.lines")
        if lines.max() == c * h:
            zeros = initializer(op, np.zeros((1, width), np.float32), f"{name}.line_of_zeros")
            found = op.Concat(found, zeros, axis=0, _outputs=[f"{name}.lines_and_zeros"])
        return op.Gather(found, initializer(op, lines, f"{name}.sources"), axis=0, _outputs=[f"{name}.tiles"])

    @staticmethod
    def _kernels(op, y: ir.Value, kernel: np.ndarray, g: np.ndarray) -> list[ir.Value]:
        """The kernels of the grouped Conv, `(READ C', ceil(K / 3) C, 1, L)`, and its bias, where there is one."""
        c_out, c, k, width = kernel.shape
        bands = -(-k // TAPS)
        whole = np.pad(kernel.astype(np.float64), ((0, 0), (0, 0), (0, bands * TAPS - k), (0, 0)))
        at_points = np.einsum("pr,ocbrl->pobcl", g, whole.reshape(c_out, c, bands, TAPS, width))
        at_points = at_points.reshape(READ * c_out, bands * c, 1, width).astype(np.float32)
        kernels = [initializer(op, at_points, f"{y.name}.kernels_at_points")]
        for bias in biases(y.producer()):
            spread = np.zeros((READ, c_out), np.float32)
            spread[BIAS_POINT] = bias
            kernels.append(initializer(op, spread.reshape(-1), f"{y.name}.bias_at_point"))
        return kernels


def _lines(shape: tuple[int, ...], k: int, tiles: int, top: int, bottom: int) -> np.ndarray:
    """Where the rows of the tiles lie among the C H rows of x, `(READ, C ceil(K / 3), T)`; C H where they are padding.

    What lies below the padding meets taps of zero, or makes rows that are cut off: any row of the channel will do.
    """
    _, c, h, _ = shape
    bands = -(-k // TAPS)
    point, band, channel, tile = np.ogrid[:READ, :bands, :c, :tiles]
    row = WRITTEN * tile + point + TAPS * band - top
    padding = (row < 0) | ((row >= h) & (row < h + bottom))
    return np.where(padding, c * h, channel * h + np.minimum(row, h - 1)).reshape(READ, bands * c, tiles)


def _transforms(points: tuple[float, ...] = POINTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A, G and B of the points, by Lagrange's interpolation; infinity stands for the highest coefficient alone."""
    a, g, b = np.zeros((WRITTEN, READ)), np.zeros((READ, TAPS)), np.zeros((READ, READ))
    for j, point in enumerate(points):
        others = np.delete(points, j)
        a[:, j] = point ** np.arange(WRITTEN)
        g[j] = point ** np.arange(TAPS) / np.prod(point - others)
        b[j, :-1] = np.poly(others)[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(points)[::-1]
    return a, g, b
