"""Nearest resizing as one Gather per resized axis.

    y[n, c, i, j] = x[n, c, rows[i], columns[j]]   =  Gather(Gather(x, rows, axis=2), columns, axis=3)

x `(N, C, H, W)` to y `(N, C, H', W')`; rows[i] = floor(i / s) where pixels are repeated s times.

- Supported: Upsample 7 and 9 and Resize 10 and later in mode nearest, with any nearest_mode, up or down; `x` of fixed
  shape, constant scales, sizes and roi. What lies outside `x` is one more index, of the extrapolation value.
- Fidelity: exact.
- Needed by: ONNX.js, which has no Upsample before 0.1.8 and no nearest Resize, and ONNX Runtime Web on webgl, which
  fails on a nearest Resize.
- Why not Reshape, Concat, Reshape, as in the first conversions to ONNX.js: these are as many nodes, and engines get
  reshaped values wrong.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir
from onnxscript.rewriter.pattern import OpsetPatternBuilder, OrValue

from fns_lab.opset.nodes import fixed_shape, producer
from fns_lab.rewrite.resampling import extrapolation, outside, resized_axes, sources
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, ValuePattern, dtype_of, initializer


class ResizeGather(OpRule):
    NAME = "resize-gather"
    FIDELITY = "exact"
    EMITS = ("Gather", "Concat")
    OPS = ("Resize", "Upsample")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = producer(y)
        if (mode := node.attributes.get_string("mode", "nearest")) != "nearest":
            raise Refusal(f"the {node.op_type} has mode {mode}; nearest is needed, since a Gather only copies")
        for axis in resized_axes(node):
            sources(node, axis), outside(node, axis)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result, node, shape = x, producer(y), list(fixed_shape(x))
        for index, axis in enumerate(resized_axes(node)):
            name, beyond = f"{y.name}.axis{index}", outside(node, axis)
            source = np.where(beyond, axis.old, sources(node, axis))
            if beyond.any():
                block = np.full((*shape[:index], 1, *shape[index + 1 :]), extrapolation(node), dtype_of(x))
                value = initializer(op, block, f"{name}_beyond")
                result = op.Concat(result, value, axis=index, _outputs=[f"{name}_extended"])
            if not np.array_equal(source, np.arange(axis.old)):
                indices = initializer(op, source, f"{name}_source")
                result = op.Gather(result, indices, axis=index, _outputs=[name])
            shape[index] = axis.new
        return result if result is not x else op.Identity(x)


def upsampling(op: OpsetPatternBuilder, x: ValuePattern, name: str) -> ValuePattern:
    """Return the pattern of a Resize or Upsample of `x`; `name` is for its output."""
    return OrValue(
        [op.Resize(x, _allow_other_inputs=True), op.Upsample(x, _allow_other_inputs=True)],
        name=name,
    )
