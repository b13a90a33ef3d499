"""Linear and cubic resizing as one matrix product per resized axis.

    y = A_h x A_w^T,   A_h (H', H) and A_w (W', W) hold the weights of the old pixels in each new one

x `(..., H, W)` to y `(..., H', W')`; another axis is moved to the place of H by a Reshape, and back.

- Supported: Upsample 7 and 9, Resize 10 to 19, in mode linear or cubic, up or down, along any axes; `x` of fixed shape,
  constant scales, sizes and roi; all attributes. Refused where ONNX Runtime, onnx's reference and the operator's text
  differ: align_corners by scales that give no whole size, and some of tf_crop_and_resize.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have no Resize, and an Upsample with whole scales in one of the six
  coordinate systems only.
- Why not Gather and a weighted sum: these are ten nodes with broadcasting, which is slow in ONNX.js.
"""

from __future__ import annotations

import functools

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, producer
from fns_lab.rewrite.linear_map import along_axis
from fns_lab.rewrite.resampling import extrapolation, outside, resized_axes, weights
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class ResizeMatMul(OpRule):
    NAME = "resize-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul", "Reshape", "Add")
    OPS = ("Resize", "Upsample")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        if node.attributes.get_string("mode", "nearest") == "nearest":
            raise Refusal(f"the {node.op_type} has mode nearest, linear or cubic is needed")
        for axis in resized_axes(node):
            weights(node, axis)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result, node, shape = x, producer(y), list(fixed_shape(x))
        axes = resized_axes(node)
        for index, axis in enumerate(axes):
            if not axis.is_kept:
                result = along_axis(self, op, result, shape, index, weights(node, axis), f"{y.name}.axis{index}")
                shape[index] = axis.new
        beyond = functools.reduce(np.logical_or.outer, [outside(node, axis) for axis in axes])
        if beyond.any() and extrapolation(node):
            values = np.where(beyond, extrapolation(node), 0).astype(np.float32)
            return op.Add(result, initializer(op, values, f"{y.name}.extrapolated"))
        return result if result is not x else op.Identity(x)
