"""AveragePool as one matrix product per axis.

    y = A_h x A_w^T,   A_h (H', H) and A_w (W', W) hold 1 / (elements of the window) where it reads an element

The number of elements of a window is the product of those along each axis, with and without padding.

- Supported: AveragePool of any opset, number of dimensions, dilation, padding, ceil_mode and count_include_pad; `x` of
  fixed shape. No windows without elements.
- Fidelity: rounding.
- Needed by: targets below opset 19, whose AveragePool has no dilations.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, producer
from fns_lab.rewrite.linear_map import along_axis
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext
from fns_lab.rewrite.windows import Windows, summing_matrix, windows


class AveragePoolMatMul(OpRule):
    NAME = "average-pool-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul", "Reshape")
    OPS = ("AveragePool",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        for i, axis in enumerate(windows(y)):
            if not _counted(producer(y), axis).any(axis=1).all():
                raise Refusal(f"a window of the AveragePool reads padding only, along axis {2 + i}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result, shape = x, list(fixed_shape(x))
        for i, axis in enumerate(windows(y)):
            share = 1 / _counted(producer(y), axis).sum(axis=1, keepdims=True)
            matrix = (summing_matrix(axis) * share).astype(np.float32)
            result = along_axis(self, op, result, shape, 2 + i, matrix, f"{y.name}.axis{2 + i}")
            shape[2 + i] = len(matrix)
        return result


def _counted(node: ir.Node, axis: Windows) -> np.ndarray:
    """Return which taps count as elements of their window."""
    return axis.padded if node.attributes.get_int("count_include_pad", 0) else axis.inside
