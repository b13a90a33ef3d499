"""Slice with steps as one Gather along each axis that it steps along or cuts.

    Slice(x, starts, ends, axes, steps)  =  Gather(..., range(start, end, step), axis)

Any fixed size along the axes. Slice 10 to 13. Fidelity: exact. Before opset 10 Slice takes no steps, and later ONNX.js
still takes none but 1.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_size, rank
from fns_lab.rewrite.rule import OpRule, initializer


class SliceGather(OpRule):
    NAME = "slice-gather"
    FIDELITY = "exact"
    EMITS = ("Gather",)
    OPS = ("Slice",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        _kept(y.producer())

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        last = x
        for axis, rows in _kept(y.producer()).items():
            if not np.array_equal(rows, np.arange(fixed_size(x, axis))):
                indices = initializer(op, rows, f"{y.name}.axis{axis}_kept")
                last = op.Gather(last, indices, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
        return last if last is not x else op.Identity(x)


def _kept(node: ir.Node) -> dict[int, np.ndarray]:
    """By axis, the indices that are kept."""
    if "starts" in node.attributes:
        starts, ends = (node.attributes[name].as_ints() for name in ("starts", "ends"))
        axes, steps = node.attributes.get_ints("axes", list(range(len(starts)))), [1] * len(starts)
    else:
        given = [constant_array(value).tolist() for value in node.inputs[1:3]]
        starts, ends = given
        extra = dict(enumerate(node.inputs[3:]))
        axes = constant_array(extra[0]).tolist() if extra.get(0) is not None else list(range(len(starts)))
        steps = constant_array(extra[1]).tolist() if extra.get(1) is not None else [1] * len(starts)
    axes = [axis % rank(node) for axis in axes]
    return {
        axis: np.arange(fixed_size(node.inputs[0], axis), dtype=np.int64)[start:end:step]
        if not (step < 0 and end < -fixed_size(node.inputs[0], axis))
        else np.arange(fixed_size(node.inputs[0], axis), dtype=np.int64)[start::step]
        for axis, start, end, step in zip(axes, starts, ends, steps, strict=True)
    }
