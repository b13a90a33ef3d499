"""Conv to few channels as two Convs: one with the kernel cut into bands of rows, one that adds the bands up.

    y[o, i, j] = sum over c, k, l of w[o, c, k, l] x[c, i + k, j + l],    k = A m + r, K = A B

    t[(o, m), i, j] = sum over c, r, l of w[o, c, A m + r, l] x[c, i + r, j + l]     an A x L kernel, C' B outputs
    y[o, i, j] = sum over m of t[(o, m), i + A m, j]           a B x 1 kernel of zeros and ones, its rows A apart

x `(N, C, H, W)`, t `(N, C' B, H - A + 1, W')`, y `(N, C', H - K + 1, W')`; the first Conv has all padding.

- Supported: Conv of any opset, stride 1, dilation 1, one group, explicit pads; a constant kernel of more than one row
  and column; at least 4 times as many input channels as output channels.
- Fidelity: rounding (each band is summed first).
- Needed by: no target. Faster in engines that unroll the image for a matrix product: they write C K L values per pixel
  and multiply them by only C' rows, here C A L values by C' B rows. For the last layer of a style network (16 channels
  to 3, a 9 x 9 kernel) these are 432 values for 9 rows instead of 1296 for 3.
- Why not Slice and Add for the sum: engines have a fast Conv and a slow Slice. Why not a grouped Conv: old webgl
  backends compute it wrong.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, producer
from fns_lab.rewrite.convolution import require_plain
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

FEW = 4
"""How many times as many input channels as output channels are needed; with fewer, the sum costs more than it saves."""


class ConvSplitKernel(OpRule):
    NAME = "conv-split-kernel"
    FIDELITY = "rounding"
    ADDS_SUPPORT = False
    EMITS = ("Conv",)
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        conv = producer(y)
        require_plain(conv)
        c_out, c, *kernel = constant_array(conv.inputs[1]).shape
        if len(kernel) != 2 or min(kernel) == 1:
            raise Refusal(f"the kernel is {'x'.join(map(str, kernel))}, several rows and columns are needed")
        if FEW * c_out > c:
            raise Refusal(f"{c_out} output channels are not few: {FEW} times as many inputs are needed, there are {c}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        kernel = constant_array(conv.inputs[1])
        c_out, c, k, width = kernel.shape
        a = _rows_per_band(k)
        b = k // a
        top, left, bottom, right = conv.attributes.get_ints("pads", [0, 0, 0, 0])
        bands = kernel.reshape(c_out, c, b, a, width).transpose(0, 2, 1, 3, 4).reshape(c_out * b, c, a, width)
        sums = np.eye(c_out * b, dtype=np.float32).reshape(c_out, b, c_out * b).transpose(0, 2, 1)[..., None]
        parts = op.Conv(
            x,
            initializer(op, np.ascontiguousarray(bands), f"{y.name}.band_kernels"),
            kernel_shape=[a, width],
            pads=[top, left, bottom, right],
            _outputs=[f"{y.name}.bands"],
        )
        sum_kernels = initializer(op, np.ascontiguousarray(sums), f"{y.name}.sum_kernels")
        return op.Conv(parts, sum_kernels, *conv.inputs[2:], kernel_shape=[b, 1], dilations=[a, 1])


def _rows_per_band(k: int) -> int:
    """Return the largest A with A * B = K and A <= B: 3 for 9, 1 for 7."""
    return max(a for a in range(1, k + 1) if k % a == 0 and a * a <= k)
