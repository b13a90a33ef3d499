"""MaxPool as a Gather of each window and its maximum, one axis after the other.

    max over K x L  =  ReduceMax(Gather(ReduceMax(Gather(x, rows, axis=2), axis=3), columns, axis=3), axis=4)

x `(N, C, H, W)`; rows `(H', K)` and columns `(W', L)` hold the indices that each window reads, without padding: in its
place stands another element of the same window.

- Supported: MaxPool of any opset, number of dimensions, dilation, padding and ceil_mode; `x` of fixed shape; the first
  output only, since Indices needs ArgMax over several axes. No windows that read padding only.
- Fidelity: exact.
- Needed by: targets below opset 10, whose MaxPool has no dilations.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import producer, require_first_output_only
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.rewrite.windows import windows


class MaxPoolReduce(OpRule):
    NAME = "max-pool-reduce"
    FIDELITY = "exact"
    EMITS = ("Gather", "ReduceMax")
    OPS = ("MaxPool",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        require_first_output_only(producer(y))
        for i, axis in enumerate(windows(y)):
            if not axis.inside.any(axis=1).all():
                raise Refusal(f"a window of the MaxPool reads padding only, along axis {2 + i}")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result = x
        for i, axis in enumerate(windows(y)):
            name = f"{y.name}.axis{2 + i}"
            some = np.where(axis.inside, axis.taps, -1).max(axis=1, keepdims=True)
            taps = initializer(op, np.where(axis.inside, axis.taps, some).astype(np.int64), f"{name}_taps")
            parts = op.Gather(result, taps, axis=2 + i, _outputs=[f"{name}_windows"])
            result = self.reduce(op, "ReduceMax", parts, [3 + i], keepdims=False, name=name)
        return result
