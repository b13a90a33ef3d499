"""Linear and cubic resizing as one matrix product per axis, of the last two axes.

    y = A_h x A_w^T,   A_h (H', H) and A_w (W', W) hold the weights of the old pixels in each new one

x `(..., H, W)` to y `(..., H', W')`.

- Supported: Upsample 7 and 9, Resize 10 to 19, in mode linear or cubic, up or down; `x` of fixed shape, constant scales
  or sizes; no antialias, exclude_outside or tf_crop_and_resize.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have no Resize, and an Upsample with whole scales in one of the six
  coordinate systems only.
- Why not Gather and a weighted sum: these are ten nodes with broadcasting, which is slow in ONNX.js.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.resampling import Axis, resized_axes, weights
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class ResizeMatMul(OpRule):
    NAME = "resize-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul",)
    OPS = ("Resize", "Upsample")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        if node.attributes.get_string("mode", "nearest") == "nearest":
            raise Refusal(f"the {node.op_type} has mode nearest, linear or cubic is needed")
        axes = resized_axes(node)
        if len(axes) < 2 or any(map(_is_resized, axes[:-2])):
            raise Refusal(f"the {node.op_type} resizes other axes than the last two")
        for axis in axes[-2:]:
            weights(node, axis)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result, node = x, producer(y)
        *_, height, width = resized_axes(node)
        if _is_resized(height):
            a = initializer(op, weights(node, height), f"{y.name}.rows")
            result = op.MatMul(a, result, _outputs=[f"{y.name}.tall"])
        if _is_resized(width):
            a = initializer(op, weights(node, width).T.copy(), f"{y.name}.columns")
            result = op.MatMul(result, a, _outputs=[f"{y.name}.wide"])
        return result if result is not x else op.Identity(x)


def _is_resized(axis: Axis) -> bool:
    return axis.old != axis.new or axis.scale != 1
