"""LpPool and GlobalLpPool as the root of sums of powers.

    y = (sum of |x|^p over the window)^(1/p),   the sums as A_h |x|^p A_w^T, or as ReduceSum over all of an image

A_h `(H', H)` and A_w `(W', W)` hold 1 where the window reads an element. Powers of 1 to 4 are products, others
Exp(p Log(|x|)).

- Supported: LpPool of any opset, number of dimensions, dilation, padding and ceil_mode, GlobalLpPool; p of at least 1;
  `x` of fixed shape.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have neither.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, producer
from fns_lab.rewrite.linear_map import along_axis
from fns_lab.rewrite.powers import WRITES, absolute_power, norm_order, root
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.windows import summing_matrix, windows


class LpPoolMatMul(OpRule):
    NAME = "lp-pool-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul", "Reshape", "ReduceSum", *WRITES)
    OPS = ("LpPool", "GlobalLpPool")

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x), norm_order(producer(y))
        if self.root == "LpPool":
            windows(y)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        p, shape = norm_order(producer(y)), list(fixed_shape(x))
        total = absolute_power(op, x, p, f"{y.name}.power")
        if self.root == "GlobalLpPool":
            axes = list(range(2, len(shape)))
            total = self.reduce(op, "ReduceSum", total, axes, keepdims=True, name=f"{y.name}.sum")
            return root(op, total, x, p, str(y.name))
        for i, axis in enumerate(windows(y)):
            matrix = summing_matrix(axis).astype(np.float32)
            total = along_axis(self, op, total, shape, 2 + i, matrix, f"{y.name}.axis{2 + i}")
            shape[2 + i] = len(matrix)
        return root(op, total, x, p, str(y.name))
