"""A convolution to few channels as two: along the rows first, then a sum down the columns.

    y[o, i, j] = sum over c, k, l of w[o, c, k, l] x[c, i + k, j + l]

    t[(o, k), i, j] = sum over c, l of w[o, c, k, l] x[c, i, j + l]        a 1 x L kernel, C' K outputs
    y[o, i, j] = sum over k of t[(o, k), i + k, j]                         a K x 1 kernel of zeros and ones

x `(N, C, H, W)`, t `(N, C' K, H, W - L + 1)`, y `(N, C', H - K + 1, W - L + 1)`; zero padding goes with its axis.
Fidelity: rounding (the sum by rows first). An engine that unrolls a convolution into a matrix product writes C K L
numbers a pixel and multiplies them by only C' rows; here it writes C L for C' K rows. For the last layer of a style
network, 16 channels to 3 with a 9 x 9 kernel, these are 144 for 27 in place of 1296 for 3. A product with ones, not a
sum of slices: engines have one fast Conv and many slow Slices. Not grouped, which old webgl backends get wrong.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.rewrite.rule import Refusal, Rule, const, constant
from fns_lab.targets import Target

FEW = 4
"""Outputs must be this many times fewer than inputs: the added product costs C' K / (C L) of the convolution."""


class ConvSplitKernel(Rule):
    NAME = "conv-split-kernel"
    FIDELITY = "rounding"
    EMITS = ("Conv",)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Conv",)

    def pattern(self, op, x, w):
        return op.Conv(x, w, _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, w: ir.Value, y: ir.Value) -> None:
        plain_conv(y.producer())
        c_out, c, *kernel = const(w).shape
        if len(kernel) != 2 or min(kernel) == 1:
            raise Refusal(f"a kernel of {'x'.join(map(str, kernel))} has no rows and columns to part")
        if FEW * c_out > c:
            raise Refusal(f"{c_out} outputs are not few beside {c} inputs")

    def rewrite(self, op, x: ir.Value, w: ir.Value, y: ir.Value) -> ir.Value:
        kernel, node = const(w), y.producer()
        c_out, c, k, size = kernel.shape
        top, left, bottom, right = node.attributes.get_ints("pads", [0, 0, 0, 0])
        along_rows = kernel.transpose(0, 2, 1, 3).reshape(c_out * k, c, 1, size)
        down_columns = np.eye(c_out * k, dtype=np.float32).reshape(c_out, k, c_out * k).transpose(0, 2, 1)[..., None]
        rows = op.Conv(
            x,
            constant(op, np.ascontiguousarray(along_rows), f"{y.name}.row_kernels"),
            pads=[0, left, 0, right],
            kernel_shape=[1, size],
            _outputs=[f"{y.name}.rows"],
        )
        summing = constant(op, np.ascontiguousarray(down_columns), f"{y.name}.summing_kernels")
        return op.Conv(rows, summing, *node.inputs[2:], pads=[top, 0, bottom, 0], kernel_shape=[k, 1])


def plain_conv(node: ir.Node) -> None:
    """Raise `Refusal` unless a Conv has stride 1, no dilation, one group and explicit padding."""
    for name in ("strides", "dilations"):
        if set(node.attributes.get_ints(name, [1])) != {1}:
            raise Refusal(f"the convolution has {name} {list(node.attributes.get_ints(name))}")
    if node.attributes.get_int("group", 1) != 1 or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise Refusal("the convolution is grouped or pads by itself")
