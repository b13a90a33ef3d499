"""Nearest upsampling and padding in one go: one Gather per axis.

    Pad(Upsample(x))[n, c, i, j] = x[n, c, rows[i] / s, columns[j] / s]

with rows and columns the source indices of the padding, as in `pad-gather`: `(N, C, H, W)` to `(N, C, s H + 2 p,
s W + 2 p)` by copying alone, in two nodes where `resize-gather` and `pad-gather` take four and write the big image
twice. Fidelity: exact. For runtimes without Pad or Upsample.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, full_pads, resize_scales
from fns_lab.rewrite.rule import Refusal, Rule, initializer
from fns_lab.rewrite.rules.pad_gather import source_lines
from fns_lab.rewrite.rules.resize_gather import upsampling
from fns_lab.targets import Target


class ResizePadGather(Rule):
    NAME = "resize-pad-gather"
    FIDELITY = "exact"
    EMITS = ("Gather",)

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Pad",)

    def pattern(self, op, x):
        return op.Pad(upsampling(op, x, "up"), _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, up: ir.Value, y: ir.Value) -> None:
        shape, scales, pads = fixed_shape(x), resize_scales(up.producer()), full_pads(y.producer())
        if y.producer().attributes.get_string("mode", "constant") not in ("reflect", "edge"):
            raise Refusal("a Gather can copy pixels, padding with a constant makes new ones")
        for axis, (size, scale) in enumerate(zip(shape, scales, strict=True)):
            if max(pads[axis], pads[axis + len(shape)]) >= size * scale:
                raise Refusal(f"reflection needs more than the {size * scale:g} values of axis {axis}")

    def rewrite(self, op, x: ir.Value, up: ir.Value, y: ir.Value) -> ir.Value:
        pads, scales, last = full_pads(y.producer()), resize_scales(up.producer()), x
        mode = y.producer().attributes.get_string("mode", "constant")
        for axis, size in enumerate(fixed_shape(x)):
            begin, end, scale = pads[axis], pads[axis + len(scales)], int(scales[axis])
            if begin or end or scale != 1:
                source = source_lines(size * scale, begin, end, mode) // scale
                indices = initializer(op, source, f"{y.name}.axis{axis}_source")
                last = op.Gather(last, indices, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
        return last if last is not x else op.Identity(x)
