"""Conv with half the products: four output rows at once, by Winograd's F(4, 3).

Four output rows y of a kernel of three rows w need six input rows d and twelve products. Seen as polynomials, these
are values at six points, and six products are enough:

    y = A ((G w) * (B d)),    w (3,), d (6,), y (4,),    A (4, 6), G (6, 3), B (6, 6)

B and A are MatMuls over all channels and tiles at once, and G w is computed here. Along the width it stays a
convolution: one Conv of 1 x L with six groups, one per point. A kernel of K rows is ceil(K / 3) bands of three rows,
each reading rows further down, as additional channels. One Gather of whole rows copies them to T tiles:

    x (1, C, H, W)  ->  Gather (6, C ceil(K / 3), T, W)  ->  B x  ->  Conv (1, 6 C', T, W')  ->  A x  (4, C' T W')
                    ->  Transpose (C', T, 4, W')  ->  y (1, C', 4 T, W') without the rows past the last

Winograd 1980; for convolutions Lavin and Gray 2015, arXiv 1509.09308; the points after Barabasz et al. 2018, arXiv
1803.10986.

- Supported: Conv of any opset, stride 1, dilation 1, one group, explicit pads; one image of fixed size with at least 4
  output rows; a constant kernel of more than one row.
- Fidelity: rounding. With the points 0, 1, -1, 1/2, -2 and infinity the largest error is two to three times that of a
  direct sum over 16 to 256 channels.
- Needed by: no target. Faster in engines whose MatMul is as fast as their Conv.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, name_of, producer
from fns_lab.rewrite.convolution import biases, require_one_image, require_plain
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

POINTS = (0.0, 1.0, -1.0, 0.5, -2.0)
"""All points but the last, infinity."""
BIAS_POINT = 1
"""Index of the point 1: what is added to its product is added to every output row."""
TAPS = 3
READ = len(POINTS) + 1
"""Rows that a tile reads."""
WRITTEN = READ - TAPS + 1
"""Rows that a tile writes."""


class ConvWinograd(OpRule):
    NAME = "conv-winograd"
    FIDELITY = "rounding"
    ADDS_SUPPORT = False
    EMITS = ("Gather", "Reshape", "MatMul", "Conv", "Transpose", "Concat", "Slice")
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        conv = producer(y)
        require_plain(conv)
        require_one_image(conv, x)
        if constant_array(conv.inputs[1]).shape[2] == 1:
            raise Refusal("the kernel is one row high, several rows are needed")
        if (rows := fixed_shape(y)[2]) < WRITTEN:
            raise Refusal(f"{y.name} has {rows} rows, at least {WRITTEN} are needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        kernel, (_, c_out, h_out, w_out) = constant_array(conv.inputs[1]), fixed_shape(y)
        width, tiles = fixed_shape(x)[3], -(-h_out // WRITTEN)
        top, left, bottom, right = conv.attributes.get_ints("pads", [0, 0, 0, 0])
        a, g, b = _transforms()

        sources = _source_rows(fixed_shape(x), kernel.shape[2], tiles, top, bottom)
        channels = sources.shape[1]
        rows = self._gathered(op, x, sources, name_of(y))
        rows = self.reshape(op, rows, (READ, channels * tiles * width), f"{y.name}.tiles_flat")
        to_points = initializer(op, b.astype(np.float32), f"{y.name}.to_points")
        values = op.MatMul(to_points, rows, _outputs=[f"{y.name}.values"])
        products = op.Conv(
            self.reshape(op, values, (1, READ * channels, tiles, width), f"{y.name}.by_point"),
            *_weights(op, y, kernel, g),
            group=READ,
            kernel_shape=[1, kernel.shape[3]],
            pads=[0, left, 0, right],
            _outputs=[f"{y.name}.products"],
        )
        products = self.reshape(op, products, (READ, c_out * tiles * w_out), f"{y.name}.products_flat")
        from_points = initializer(op, a.astype(np.float32), f"{y.name}.from_points")
        output = op.MatMul(from_points, products, _outputs=[f"{y.name}.found"])
        output = self.reshape(op, output, (WRITTEN, c_out, tiles, w_out), f"{y.name}.by_row")
        output = op.Transpose(output, perm=[1, 2, 0, 3], _outputs=[f"{y.name}.in_order"])
        if WRITTEN * tiles == h_out:
            return self.reshape(op, output, (1, c_out, h_out, w_out), name_of(y))
        output = self.reshape(op, output, (1, c_out, WRITTEN * tiles, w_out), f"{y.name}.with_rows_past_the_last")
        return self.slice(op, output, [0], [h_out], [2], f"{y.name}.rows")

    def _gathered(self, op: RewriterContext, x: ir.Value, sources: np.ndarray, name: str) -> ir.Value:
        """Copy rows of x `(1, C, H, W)` to `(*sources.shape, W)`; index C H is a row of zeros."""
        _, c, h, width = fixed_shape(x)
        rows = self.reshape(op, x, (c * h, width), f"{name}.lines")
        if sources.max() == c * h:
            zeros = initializer(op, np.zeros((1, width), np.float32), f"{name}.line_of_zeros")
            rows = op.Concat(rows, zeros, axis=0, _outputs=[f"{name}.lines_and_zeros"])
        return op.Gather(rows, initializer(op, sources, f"{name}.sources"), axis=0, _outputs=[f"{name}.tiles"])


def _weights(op: RewriterContext, y: ir.Value, kernel: np.ndarray, g: np.ndarray) -> list[ir.Value]:
    """Add the kernels of the grouped Conv, `(READ C', ceil(K / 3) C, 1, L)`, and its bias if there is one."""
    c_out, c, k, width = kernel.shape
    bands = -(-k // TAPS)
    whole = np.pad(kernel.astype(np.float64), ((0, 0), (0, 0), (0, bands * TAPS - k), (0, 0)))
    at_points = np.einsum("pr,ocbrl->pobcl", g, whole.reshape(c_out, c, bands, TAPS, width))
    at_points = at_points.reshape(READ * c_out, bands * c, 1, width).astype(np.float32)
    weights = [initializer(op, at_points, f"{y.name}.kernels_at_points")]
    for bias in biases(producer(y)):
        at_point = np.zeros((READ, c_out), np.float32)
        at_point[BIAS_POINT] = bias
        weights.append(initializer(op, at_point.reshape(-1), f"{y.name}.bias_at_point"))
    return weights


def _source_rows(shape: tuple[int, ...], k: int, tiles: int, top: int, bottom: int) -> np.ndarray:
    """Return for each row of the tiles its index among the C H rows of x, `(READ, C ceil(K / 3), T)`; C H for padding.

    Rows below the padding only meet zeros of the kernel or give output rows that are cut off: any row will do.
    """
    _, c, h, _ = shape
    bands = -(-k // TAPS)
    point, band, channel, tile = np.ogrid[:READ, :bands, :c, :tiles]
    row = WRITTEN * tile + point + TAPS * band - top
    padding = (row < 0) | ((row >= h) & (row < h + bottom))
    return np.where(padding, c * h, channel * h + np.minimum(row, h - 1)).reshape(READ, bands * c, tiles)


def _transforms(points: tuple[float, ...] = POINTS) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return A, G and B for these points and infinity, by Lagrange interpolation.

    The value at infinity is the highest coefficient.
    """
    a, g, b = np.zeros((WRITTEN, READ)), np.zeros((READ, TAPS)), np.zeros((READ, READ))
    for j, point in enumerate(points):
        others = np.delete(points, j)
        a[:, j] = point ** np.arange(WRITTEN)
        g[j] = point ** np.arange(TAPS) / np.prod(point - others)
        b[j, :-1] = np.poly(others)[::-1]
    a[-1, -1] = g[-1, -1] = 1
    b[-1] = np.poly(points)[::-1]
    return a, g, b
