"""Conv of one image as a grouped Conv, one group per band of rows.

    x (1, C, H, W)  ->  the rows of T bands, each with the K - 1 that it shares with the next  (1, T C, h + K - 1, W)
                    ->  Conv, T groups, the same kernels in each  (1, T C', h, W')  ->  y (1, C', T h, W')

- Supported: Conv of any opset without padding, stride 1, dilation 1, one group; one image of fixed size, constant
  weights; an output height that bands divide evenly.
- Fidelity: exact (each output is the same sum in the same order).
- Needed by: no target. Faster in engines that unroll the image for a matrix product (C K L values for each of H W
  pixels): ONNX.js on cpu takes 1.7 ns per product while that fits in the cache and up to 7 ns when it doesn't. Not for
  ONNX.js up to 0.1.7 on webgl, where a grouped Conv is wrong (https://github.com/microsoft/onnxjs/pull/198).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, name_of, producer
from fns_lab.rewrite.convolution import biases, require_one_image, require_plain, require_unpadded
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

UNROLLED = 1 << 18
"""Largest unrolled band, in float32 values: 1 MB, half of a usual second-level cache."""
MOST_BANDS = 32


class ConvBands(OpRule):
    NAME = "conv-bands"
    FIDELITY = "exact"
    ADDS_SUPPORT = False
    EMITS = ("Gather", "Reshape", "Transpose", "Conv")
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        conv = producer(y)
        require_plain(conv)
        require_one_image(conv, x)
        require_unpadded(conv)
        if _bands(constant_array(conv.inputs[1]), fixed_shape(y)) == 1:
            raise Refusal(f"the unrolled image fits in {UNROLLED} values, or no number of bands divides its height")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        kernel, (_, c_out, h_out, w_out) = constant_array(conv.inputs[1]), fixed_shape(y)
        c, k, width = kernel.shape[1], kernel.shape[2], fixed_shape(x)[3]
        bands = _bands(kernel, fixed_shape(y))
        h = h_out // bands
        rows = (np.arange(bands)[:, None] * h + np.arange(h + k - 1)).reshape(-1)
        source = initializer(op, rows, f"{y.name}.band_rows")
        overlapping = op.Gather(x, source, axis=2, _outputs=[f"{y.name}.overlapping"])
        grouped = self._swapped(op, overlapping, (c, bands, (h + k - 1) * width), f"{y.name}.by_band")
        grouped = self.reshape(op, grouped, (1, bands * c, h + k - 1, width), f"{y.name}.bands")
        weights = [initializer(op, np.concatenate([kernel] * bands), f"{y.name}.band_kernels")]
        for bias in biases(conv):
            weights.append(initializer(op, np.concatenate([bias] * bands), f"{y.name}.band_bias"))
        convolved = op.Conv(
            grouped, *weights, group=bands, kernel_shape=list(kernel.shape[2:]), _outputs=[f"{y.name}.convolved"]
        )
        joined = self._swapped(op, convolved, (bands, c_out, h * w_out), f"{y.name}.by_channel")
        return self.reshape(op, joined, (1, c_out, h_out, w_out), name_of(y))

    def _swapped(self, op: RewriterContext, x: ir.Value, shape: tuple[int, int, int], name: str) -> ir.Value:
        """Reshape `x` to three axes and swap the first two."""
        return op.Transpose(self.reshape(op, x, shape, f"{name}_split"), perm=[1, 0, 2], _outputs=[name])


def _bands(kernel: np.ndarray, y_shape: tuple[int, ...]) -> int:
    """Return the smallest number of equal bands whose unrolled images fit, 1 if there is none."""
    _, _, h, width = y_shape
    unrolled_row = kernel[0].size * width
    fitting = [t for t in range(2, MOST_BANDS + 1) if h % t == 0 and h // t * unrolled_row <= UNROLLED]
    return 1 if h * unrolled_row <= UNROLLED or not fitting else fitting[0]
