"""Nearest upsampling by 2, padding by 1 and a 3x3 Conv as one 2x2 Conv at the small size.

Row 2i + a of the Conv's output reads rows 2i + a - 1, 2i + a and 2i + a + 1 of the doubled image, which has only two
different rows among any three: a = 0 reads rows i - 1 and i of the small image with the kernel rows (w0, w1 + w2),
a = 1 reads i and i + 1 with (w0 + w1, w2). The same holds for columns. So

    Conv3x3(Pad1(Up2(x)), w)  =  Crop1(Shuffle2(Conv2x2(EdgePad1(x), w')))

with four 2x2 kernels in w' for each of w: 4 products per pixel and channel instead of 9. Reflecting a doubled row by 1
gives the edge row again, hence EdgePad for both reflect and edge padding. Shuffle2 is Reshape, Transpose, Reshape.

    x (N, C, H, W)  ->  (N, 4 C', H + 1, W + 1)  ->  (N, C', 2 H + 2, 2 W + 2)  ->  y (N, C', 2 H, 2 W)

After Aitken et al. 2017, arXiv 1707.02937.

- Supported: Upsample 7 and 9 and Resize 10 and later by 2 in mode nearest, then Pad of any opset by 1 in mode reflect
  or edge, then Conv of any opset with a 3x3 kernel, stride 1, dilation 1, one group and no padding; `x` of fixed shape,
  constant weights.
- Fidelity: rounding (sums of kernel rows are rounded once).
- Needed by: no target. Preferred by those whose convolutions cost more than the shuffle.
"""

from __future__ import annotations

from typing import ClassVar

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import OpsetPatternBuilder

from fns_lab.opset.nodes import constant_array, fixed_shape, full_pads, producer, resize_scales
from fns_lab.rewrite.convolution import biases, require_plain, require_unpadded
from fns_lab.rewrite.rule import Refusal, RewriterContext, Rule, ValuePattern, initializer
from fns_lab.rewrite.rules.resize_gather import upsampling
from fns_lab.targets import Target

PADS_BY_1 = [0, 0, 1, 1, 0, 0, 1, 1]
PHASE_TAPS = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], np.float64)
"""Which kernel rows are summed, (phase, row of the 2x2 kernel, row of the 3x3 kernel). Phase 0 is the odd rows (a = 1),
phase 1 the even rows, since the crop removes one row of the shuffled image."""


class SubpixelUpsampleConv(Rule):
    NAME = "subpixel-upsample-conv"
    FIDELITY = "rounding"
    EMITS: ClassVar[tuple[str, ...]] = ("Conv", "Reshape", "Transpose", "Slice")

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Conv",)

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern, w: ValuePattern) -> ValuePattern:
        up = upsampling(op, x, "up")
        padded = op.Pad(up, _allow_other_inputs=True, _outputs=["padded"])
        return op.Conv(padded, w, _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)
        if (scales := resize_scales(producer(up))) != [1, 1, 2, 2]:
            raise Refusal(f"the upsampling is by {scales}, not by 2 in height and width")
        pad, conv = producer(padded), producer(y)
        mode = pad.attributes.get_string("mode", "constant")
        if full_pads(pad) != PADS_BY_1 or mode not in ("reflect", "edge"):
            raise Refusal(f"the Pad has mode {mode} and pads {full_pads(pad)}, reflect or edge by 1 is needed")
        if (kernel := constant_array(w).shape[2:]) != (3, 3):
            raise Refusal(f"the kernel is {'x'.join(map(str, kernel))}, not 3x3")
        require_plain(conv)
        require_unpadded(conv)
        biases(conv)

    def rewrite(
        self, op: RewriterContext, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value
    ) -> ir.Value:
        n, c, height, width = fixed_shape(x)
        kernel = constant_array(w)
        c_out = kernel.shape[0]
        phases = np.einsum("suk,tvl,ockl->ostcuv", PHASE_TAPS, PHASE_TAPS, kernel.astype(np.float64))
        weights = [initializer(op, phases.reshape(4 * c_out, c, 2, 2).astype(np.float32), f"{y.name}.phases")]
        for bias in biases(producer(y)):
            weights.append(initializer(op, bias.repeat(4), f"{y.name}.phase_bias"))
        edge = self.edge_pad(op, x, f"{y.name}.padded")
        edge.shape, edge.type = ir.Shape((n, c, height + 2, width + 2)), x.type
        small = op.Conv(edge, *weights, kernel_shape=[2, 2], _outputs=[f"{y.name}.small"])
        split = self.reshape(op, small, (n, c_out, 2, 2, height + 1, width + 1), f"{y.name}.split")
        mixed = op.Transpose(split, perm=[0, 1, 4, 2, 5, 3])
        joined = self.reshape(op, mixed, (n, c_out, 2 * height + 2, 2 * width + 2), f"{y.name}.joined")
        return self.slice(op, joined, [1, 1], [2 * height + 1, 2 * width + 1], [2, 3], f"{y.name}.crop")

    def edge_pad(self, op: RewriterContext, x: ir.Value, name: str) -> ir.Value:
        """Add an edge Pad by 1 in height and width, whose pads are an input since opset 11."""
        if self.opset < 11:
            return op.Pad(x, mode="edge", pads=PADS_BY_1, _outputs=[name])
        return op.Pad(x, initializer(op, np.array(PADS_BY_1, np.int64), f"{name}.pads"), mode="edge", _outputs=[name])
