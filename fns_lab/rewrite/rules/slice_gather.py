"""Slice as one Gather per axis that it shortens or steps along.

    Slice(x, starts, ends, axes, steps)  =  Gather(..., range(start, end, step), axis)

- Supported: Slice of any opset, constant limits and steps, a fixed size along the sliced axes.
- Fidelity: exact.
- Needed by: targets below opset 10, where Slice has no steps, and ONNX.js, which supports only step 1.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, constant_input, fixed_size, from_the_front, node_input, producer, rank
from fns_lab.rewrite.rule import OpRule, RewriterContext, initializer


class SliceGather(OpRule):
    NAME = "slice-gather"
    FIDELITY = "exact"
    EMITS = ("Gather",)
    OPS = ("Slice",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        _kept_indices(producer(y))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result = x
        for axis, kept in _kept_indices(producer(y)).items():
            if not np.array_equal(kept, np.arange(fixed_size(x, axis))):
                indices = initializer(op, kept, f"{y.name}.axis{axis}_kept")
                result = op.Gather(result, indices, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
        return result if result is not x else op.Identity(x)


def _kept_indices(node: ir.Node) -> dict[int, np.ndarray]:
    """Return the indices that a Slice keeps, by axis. Raises `NodeError` if a limit or a step is computed."""
    starts, ends, axes, steps = _limits(node)
    kept = {}
    for axis, start, end, step in zip(axes, starts, ends, steps, strict=True):
        axis = from_the_front(axis, rank(node))
        size = fixed_size(node_input(node, 0), axis)
        low, high = (-1, size - 1) if step < 0 else (0, size)
        first, stop = (limit + size if limit < 0 else limit for limit in (start, end))
        first = min(max(first, 0), high)  # also for a negative step, which then starts at the first element
        kept[axis] = np.arange(first, min(max(stop, low), size), step, dtype=np.int64)
    return kept


def _limits(node: ir.Node) -> tuple[list[int], list[int], list[int], list[int]]:
    """Return the starts, ends, axes and steps of a Slice."""
    if "starts" in node.attributes:
        starts, ends = (list(node.attributes[name].as_ints()) for name in ("starts", "ends"))
        return starts, ends, list(node.attributes.get_ints("axes", range(len(starts)))), [1] * len(starts)
    starts, ends = (constant_array(value).tolist() for value in node.inputs[1:3])
    axes, steps = constant_input(node, 3), constant_input(node, 4)
    return (
        starts,
        ends,
        list(range(len(starts))) if axes is None else axes.tolist(),
        [1] * len(starts) if steps is None else steps.tolist(),
    )
