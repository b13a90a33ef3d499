"""Bilinear and bicubic resizing as one matrix product for each of the last two axes.

    y = A_h x A_w^T,   A_h (H', H), A_w (W', W) hold the weights of the pixels that a new pixel is made of

x `(..., H, W)` to y `(..., H', W')`. Upsample 7 and 9, Resize 10 to 19, up or down, without antialias and
tf_crop_and_resize. Fidelity: rounding. No version of ONNX.js has Resize, and its Upsample knows whole scales in one of
the six coordinate systems. Gathers and a weighted sum would be ten nodes with broadcasting, which it is slow at.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.rewrite.resampling import Axis, resized_axes, weights
from fns_lab.rewrite.rule import OpRule, Refusal, initializer


class ResizeMatMul(OpRule):
    NAME = "resize-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul",)
    OPS = ("Resize", "Upsample")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = y.producer()
        if node.attributes.get_string("mode", "nearest") == "nearest":
            raise Refusal("in mode nearest it copies pixels and mixes none")
        axes = resized_axes(node)
        if len(axes) < 2 or any(map(_changes, axes[:-2])):
            raise Refusal("it resizes other axes than the last two")
        *_, rows, columns = axes
        weights(node, rows), weights(node, columns)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        *_, rows, columns = resized_axes(y.producer())
        last = x
        if _changes(rows):
            a = initializer(op, weights(y.producer(), rows), f"{y.name}.rows")
            last = op.MatMul(a, last, _outputs=[f"{y.name}.tall"])
        if _changes(columns):
            a = initializer(op, weights(y.producer(), columns).T.copy(), f"{y.name}.columns")
            last = op.MatMul(last, a, _outputs=[f"{y.name}.wide"])
        return last if last is not x else op.Identity(x)


def _changes(axis: Axis) -> bool:
    return axis.old != axis.new or axis.scale != 1
