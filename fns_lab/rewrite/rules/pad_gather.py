"""Reflection, edge and wrapped padding without Pad: one Gather per padded axis.

    Pad(x, mode=reflect | edge | wrap)  =  Gather(Gather(x, rows, axis=2), columns, axis=3)

with `rows` and `columns` the source index of each output index, so `(N, C, H, W)` goes to `(N, C, H', W')` by copying
alone. Any opset with Pad. Fidelity: exact. ONNX.js has no Pad on cpu and wasm before 0.1.8; its author's model padded
with zeros there, which is another function at the image's border.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, full_pads
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.targets import Target


class PadGather(Rule):
    NAME = "pad-gather"
    FIDELITY = "exact"
    EMITS = ("Gather",)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Pad",)

    def pattern(self, op, x):
        return op.Pad(x, _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = y.producer()
        mode = node.attributes.get_string("mode", "constant")
        if mode not in ("reflect", "edge", "wrap"):
            raise Refusal(f"a Gather can copy pixels, padding in mode {mode} makes new ones")
        pads = full_pads(node)
        if mode == "wrap" and min(pads) < 0:
            raise Refusal("it wraps round what a negative pad cuts off")
        for axis, size in enumerate(fixed_shape(x)):
            begin, end = pads[axis], pads[axis + len(pads) // 2]
            if mode == "reflect" and max(begin, end) >= size:
                raise Refusal(f"reflection by {max(begin, end)} needs more than the {size} values of axis {axis}")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        pads, shape = full_pads(y.producer()), fixed_shape(x)
        mode = y.producer().attributes.get_string("mode", "constant")
        last = x
        for axis, size in enumerate(shape):
            begin, end = pads[axis], pads[axis + len(shape)]
            if begin or end:
                source = source_lines(size, begin, end, mode)
                last = self.padded(op, last, axis, source, begin, end, f"{y.name}.axis{axis}")
        return last if last is not x else op.Identity(x)

    def padded(self, op, x: ir.Value, axis: int, source: np.ndarray, begin: int, end: int, name: str) -> ir.Value:
        """`x` with its lines `source` along one axis: the first `begin` and the last `end` of them are padding."""
        return op.Gather(x, initializer(op, source, f"{name}_source"), axis=axis, _outputs=[name])


def source_lines(size: int, begin: int, end: int, mode: str) -> np.ndarray:
    """Which of `size` lines each line of the padded axis copies, `(begin + size + end,)`; negative pads cut off."""
    source = np.pad(np.arange(size, dtype=np.int64), (max(begin, 0), max(end, 0)), mode=mode)
    return source[max(-begin, 0) : len(source) - max(-end, 0)]
