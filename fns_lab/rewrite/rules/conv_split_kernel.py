"""A convolution to few channels as two: with the kernel cut into bands of rows, then the sum of the bands.

    y[o, i, j] = sum over c, k, l of w[o, c, k, l] x[c, i + k, j + l],    k = A m + r, K = A B

    t[(o, m), i, j] = sum over c, r, l of w[o, c, A m + r, l] x[c, i + r, j + l]     an A x L kernel, C' B outputs
    y[o, i, j] = sum over m of t[(o, m), i + A m, j]           a B x 1 kernel of zeros and ones, its rows A apart

x `(N, C, H, W)`, t `(N, C' B, H - A + 1, W')`, y `(N, C', H - K + 1, W')`; zero padding goes with its axis. Fidelity:
rounding (each band is summed first). An engine that unrolls a convolution into a matrix product writes C K L numbers a
pixel and multiplies them by only C' rows; here it writes C A L for C' B rows. For the last layer of a style network, 16
channels to 3 with a 9 x 9 kernel, these are 432 numbers for 9 rows in place of 1296 for 3. The sum is a Conv, not
Slices and Adds: engines have one fast Conv and slow Slices. It is not grouped, which old webgl backends get wrong.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array
from fns_lab.rewrite.convolution import ConvForm, plain_conv
from fns_lab.rewrite.rule import Refusal, initializer

FEW = 4
"""Outputs must be this many times fewer than inputs, or the sum costs more than it saves."""


class ConvSplitKernel(ConvForm):
    NAME = "conv-split-kernel"
    FIDELITY = "rounding"
    EMITS = ("Conv",)

    def guard(self, x: ir.Value, w: ir.Value, y: ir.Value) -> None:
        plain_conv(y.producer())
        c_out, c, *kernel = constant_array(w).shape
        if len(kernel) != 2 or min(kernel) == 1:
            raise Refusal(f"a kernel of {'x'.join(map(str, kernel))} has no rows to part")
        if FEW * c_out > c:
            raise Refusal(f"{c_out} outputs are not few beside {c} inputs")

    def rewrite(self, op, x: ir.Value, w: ir.Value, y: ir.Value) -> ir.Value:
        kernel, node = constant_array(w), y.producer()
        c_out, c, k, width = kernel.shape
        a = _rows_at_a_time(k)
        b = k // a
        top, left, bottom, right = node.attributes.get_ints("pads", [0, 0, 0, 0])
        bands = kernel.reshape(c_out, c, b, a, width).transpose(0, 2, 1, 3, 4).reshape(c_out * b, c, a, width)
        sums = np.eye(c_out * b, dtype=np.float32).reshape(c_out, b, c_out * b).transpose(0, 2, 1)[..., None]
        parts = op.Conv(
            x,
            initializer(op, np.ascontiguousarray(bands), f"{y.name}.band_kernels"),
            kernel_shape=[a, width],
            pads=[top, left, bottom, right],
            _outputs=[f"{y.name}.bands"],
        )
        sums = initializer(op, np.ascontiguousarray(sums), f"{y.name}.sum_kernels")
        return op.Conv(parts, sums, *node.inputs[2:], kernel_shape=[b, 1], dilations=[a, 1])


def _rows_at_a_time(k: int) -> int:
    """The largest A with A * B = K and A <= B: 3 for 9, 1 for 7."""
    return max(a for a in range(1, k + 1) if k % a == 0 and a * a <= k)
