"""A convolution of an image as a grouped one, a group for each band of rows.

    x (1, C, H, W)  ->  the rows of T bands, each with the K - 1 that it shares with the next  (1, T C, h + K - 1, W)
                    ->  Conv, T groups, the same kernels in each  (1, T C', h, W')  ->  y (1, C', T h, W')

Fidelity: exact, each output is the same sum in the same order. For an engine whose convolution writes the unrolled
image, C K L numbers for each of H W pixels, and then walks it column by column: ONNX.js on cpu takes 1.7 ns a product
while that fits into the cache and up to 7 when it does not. Not where a grouped convolution is wrong (ONNX.js up to
0.1.7 webgl, https://github.com/microsoft/onnxjs/pull/198).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.convolution import ConvForm, biases, plain_conv_of_one
from fns_lab.rewrite.rule import Refusal, initializer

UNROLLED = 1 << 18
"""Most float32 of an unrolled band: 1 MB, half of a usual second-level cache."""
MOST_BANDS = 32


class ConvBands(ConvForm):
    NAME = "conv-bands"
    FIDELITY = "exact"
    EMITS = ("Gather", "Reshape", "Transpose", "Conv")

    def guard(self, x: ir.Value, w: ir.Value, y: ir.Value) -> None:
        plain_conv_of_one(x, w, y)
        if any(y.producer().attributes.get_ints("pads", [0])):
            raise Refusal("the convolution pads by itself")
        if _bands(w, fixed_shape(y)) == 1:
            raise Refusal("the unrolled image is small enough, or its height has no fit divisor")

    def rewrite(self, op, x: ir.Value, w: ir.Value, y: ir.Value) -> ir.Value:
        kernel, (_, c_out, h_out, w_out) = constant_array(w), fixed_shape(y)
        c, k, width = kernel.shape[1], kernel.shape[2], fixed_shape(x)[3]
        bands = _bands(w, fixed_shape(y))
        h = h_out // bands
        rows = (np.arange(bands)[:, None] * h + np.arange(h + k - 1)).reshape(-1)
        source = initializer(op, rows, f"{y.name}.band_rows")
        overlapping = op.Gather(x, source, axis=2, _outputs=[f"{y.name}.overlapping"])
        grouped = self._swapped(op, overlapping, (c, bands, (h + k - 1) * width), f"{y.name}.by_band")
        grouped = self.reshape(op, grouped, (1, bands * c, h + k - 1, width), f"{y.name}.bands")
        kernels = [initializer(op, np.concatenate([kernel] * bands), f"{y.name}.band_kernels")]
        for bias in biases(y.producer()):
            kernels.append(initializer(op, np.concatenate([bias] * bands), f"{y.name}.band_bias"))
        convolved = op.Conv(
            grouped, *kernels, group=bands, kernel_shape=list(kernel.shape[2:]), _outputs=[f"{y.name}.convolved"]
        )
        joined = self._swapped(op, convolved, (bands, c_out, h * w_out), f"{y.name}.by_channel")
        return self.reshape(op, joined, (1, c_out, h_out, w_out), y.name)

    def _swapped(self, op, x: ir.Value, shape: tuple[int, int, int], name: str) -> ir.Value:
        """`x` as three axes of `shape`, the first two of them swapped."""
        return op.Transpose(self.reshape(op, x, shape, f"{name}_split"), perm=[1, 0, 2], _outputs=[name])


def _bands(w: ir.Value, y_shape: tuple[int, ...]) -> int:
    """The fewest bands of equal height whose unrolled form fits; 1 if none does."""
    _, _, h, width = y_shape
    unrolled_row = constant_array(w)[0].size * width
    fitting = [t for t in range(2, MOST_BANDS + 1) if h % t == 0 and h // t * unrolled_row <= UNROLLED]
    return 1 if h * unrolled_row <= UNROLLED or not fitting else fitting[0]
