"""Nearest upsampling by 2, padding by 1 and a 3x3 convolution as one 2x2 convolution at the small size.

Row 2i + a of the convolution's output reads rows 2i + a - 1, 2i + a and 2i + a + 1 of the doubled image, and a
doubled image has only two different rows among any three: a = 0 reads rows i - 1 and i of the small one with the
kernel rows (w0, w1 + w2), a = 1 reads i and i + 1 with (w0 + w1, w2). The same holds for columns. So

    Conv3x3(Pad1(Up2(x)), w)  =  Crop1(Shuffle2(Conv2x2(EdgePad1(x), w')))

with four kernels of 2x2 in w' for each of w: 4 multiplications a pixel and channel instead of 9. Reflecting a doubled
row by 1 gives the edge row again, hence EdgePad for both reflection and edge padding. Shuffle2 is Reshape, Transpose,
Reshape.

    x (N, C, H, W)  ->  (N, 4 C', H + 1, W + 1)  ->  (N, C', 2 H + 2, 2 W + 2)  ->  y (N, C', 2 H, 2 W)

Fidelity: rounding (sums of kernel rows are rounded once). After Aitken et al. 2017, arXiv 1707.02937. No runtime needs
it; those prefer it whose convolutions cost more than the shuffle.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, full_pads, resize_scales
from fns_lab.rewrite.convolution import biases
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.rewrite.rules.resize_gather import upsampling
from fns_lab.targets import Target

PADS_BY_1 = [0, 0, 1, 1, 0, 0, 1, 1]
PHASE_TAPS = np.array([[[1, 1, 0], [0, 0, 1]], [[1, 0, 0], [0, 1, 1]]], np.float64)
"""(phase, small tap, kernel tap). Phase 0 is the odd rows (a = 1), phase 1 the even rows: before the crop of one row
the even rows of the result are the odd ones of the shuffled image."""


class SubpixelUpsampleConv(Rule):
    NAME = "subpixel-upsample-conv"
    FIDELITY = "rounding"
    EMITS = ("Conv", "Reshape", "Transpose", "Slice")

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Conv",)

    def pattern(self, op, x, w):
        up = upsampling(op, x, "up")
        padded = op.Pad(up, _allow_other_inputs=True, _outputs=["padded"])
        return op.Conv(padded, w, _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)
        if resize_scales(up.producer()) != [1, 1, 2, 2]:
            raise Refusal("the upsampling is not by 2 in height and width")
        pad, conv = padded.producer(), y.producer()
        mode = pad.attributes.get_string("mode", "constant")
        if full_pads(pad) != PADS_BY_1 or mode not in ("reflect", "edge"):
            raise Refusal("the padding is not a reflection or edge by 1")
        if constant_array(w).shape[2:] != (3, 3):
            raise Refusal("the convolution is not 3x3")
        plain = {"strides": [1, 1], "dilations": [1, 1], "pads": [0, 0, 0, 0]}
        if any(list(conv.attributes.get_ints(k, v)) != v for k, v in plain.items()):
            raise Refusal("the convolution has strides, dilations or padding of its own")
        if conv.attributes.get_int("group", 1) != 1 or conv.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
            raise Refusal("the convolution is grouped or pads by itself")
        biases(conv)

    def rewrite(self, op, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value) -> ir.Value:
        n, c, height, width = fixed_shape(x)
        kernel = constant_array(w)
        c_out = kernel.shape[0]
        phases = np.einsum("suk,tvl,ockl->ostcuv", PHASE_TAPS, PHASE_TAPS, kernel.astype(np.float64))
        weights = [initializer(op, phases.reshape(4 * c_out, c, 2, 2).astype(np.float32), f"{y.name}.phases")]
        for bias in biases(y.producer()):
            weights.append(initializer(op, bias.repeat(4), f"{y.name}.phase_bias"))
        edge = self.edge_pad(op, x, f"{y.name}.padded")
        edge.shape, edge.type = ir.Shape((n, c, height + 2, width + 2)), x.type
        small = op.Conv(edge, *weights, kernel_shape=[2, 2], _outputs=[f"{y.name}.small"])
        split = self.reshape(op, small, (n, c_out, 2, 2, height + 1, width + 1), f"{y.name}.split")
        mixed = op.Transpose(split, perm=[0, 1, 4, 2, 5, 3])
        joined = self.reshape(op, mixed, (n, c_out, 2 * height + 2, 2 * width + 2), f"{y.name}.joined")
        return self.slice(op, joined, [1, 1], [2 * height + 1, 2 * width + 1], [2, 3], f"{y.name}.crop")

    def edge_pad(self, op, x: ir.Value, name: str) -> ir.Value:
        """`x` with its edge repeated once on every side of H and W, in the form of the model's opset."""
        if self.scope.opset < 11:
            return op.Pad(x, mode="edge", pads=PADS_BY_1, _outputs=[name])
        return op.Pad(x, initializer(op, np.array(PADS_BY_1, np.int64), f"{name}.pads"), mode="edge", _outputs=[name])
