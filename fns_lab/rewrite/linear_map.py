"""A constant matrix applied to a value along one axis."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.rewrite.rule import RewriterContext, Rule, initializer


def along_axis(
    rule: Rule, op: RewriterContext, x: ir.Value, shape: Sequence[int], axis: int, matrix: np.ndarray, name: str
) -> ir.Value:
    """Multiply `x` of this shape by a matrix `(new, old)` along an axis.

    Writes a MatMul, between two Reshape nodes for an axis before the last two.
    """
    rank, (new, _) = len(shape), matrix.shape
    if rank > 1 and axis == rank - 1:
        return op.MatMul(x, initializer(op, np.ascontiguousarray(matrix.T), f"{name}.matrix"), _outputs=[name])
    weights = initializer(op, matrix, f"{name}.matrix")
    if rank > 1 and axis == rank - 2:
        return op.MatMul(weights, x, _outputs=[name])
    flat = (math.prod(shape[:axis]), shape[axis], math.prod(shape[axis + 1 :]))
    product = op.MatMul(weights, rule.reshape(op, x, flat, f"{name}.flat"), _outputs=[f"{name}.product"])
    return rule.reshape(op, product, (*shape[:axis], new, *shape[axis + 1 :]), name)
