"""Nearest upsampling by 2, padding by 1 and a 3x3 Conv as one ConvTranspose at the small size.

    y[p] = sum over k of w[k] x[floor((p + k - 1) / 2)]  =  sum over r of (w[2 - m] + w[3 - m]) x[r],  m = p + 1 - 2 r

along each axis, with w[k] = 0 outside 0..2: a ConvTranspose with a 4x4 kernel and stride 2 of x with its edge repeated
once, cut by 3 at each border. Reflecting a doubled row by 1 gives the edge row again, as in `subpixel-upsample-conv`.

    x (N, C, H, W)  ->  (N, C, H + 2, W + 2)  ->  y (N, C', 2 H, 2 W)

- Supported: as `subpixel-upsample-conv`.
- Fidelity: rounding (sums of kernel rows are rounded once).
- Needed by: no target. Two nodes with 4 products per pixel and channel instead of 9; whether that is faster depends on
  the engine, so no target prefers it unless measured.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, producer
from fns_lab.rewrite.rule import RewriterContext, initializer
from fns_lab.rewrite.rules.subpixel_upsample_conv import SubpixelUpsampleConv

TAPS = np.array([[0, 0, 1], [0, 1, 1], [1, 1, 0], [1, 0, 0]], np.float64)
"""Which kernel rows are summed, (row m of the transposed kernel, row k of the 3x3 kernel)."""


class UpsampleConvTranspose(SubpixelUpsampleConv):
    NAME = "upsample-conv-transpose"
    EMITS = ("ConvTranspose", "Pad")

    def rewrite(
        self, op: RewriterContext, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value
    ) -> ir.Value:
        kernel = np.einsum("uk,vl,ockl->couv", TAPS, TAPS, constant_array(w).astype(np.float64)).astype(np.float32)
        edge = self.edge_pad(op, x, f"{y.name}.padded")
        weight = initializer(op, np.ascontiguousarray(kernel), f"{y.name}.transposed_kernel")
        bias = producer(y).inputs[2:]
        return op.ConvTranspose(edge, weight, *bias, strides=[2, 2], pads=[3, 3, 3, 3], kernel_shape=[4, 4])
