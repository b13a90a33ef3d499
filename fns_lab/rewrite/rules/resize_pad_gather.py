"""Nearest upsampling and padding together as one Gather per axis.

    Pad(Upsample(x))[n, c, i, j] = x[n, c, rows[i] / s, columns[j] / s]

`rows` and `columns` are the source indices of the padding, as in `pad-gather`: x `(N, C, H, W)` to y
`(N, C, s H + 2 p, s W + 2 p)`.

- Supported: Upsample 7 and 9 and Resize 10 and later by whole scales in mode nearest, then Pad of any opset in mode
  reflect or edge; `x` of fixed shape, constant scales and pads; pads smaller than the size of the axis.
- Fidelity: exact.
- Needed by: targets without Pad or Upsample. Two nodes, where `resize-gather` and `pad-gather` have four and write the
  large image twice.
"""

from __future__ import annotations

import onnx_ir as ir
from onnxscript.rewriter.pattern import OpsetPatternBuilder

from fns_lab.opset.nodes import fixed_shape, full_pads, producer, resize_scales
from fns_lab.rewrite.rule import Refusal, RewriterContext, Rule, ValuePattern, initializer
from fns_lab.rewrite.rules.pad_gather import copy_mode, source_indices
from fns_lab.rewrite.rules.resize_gather import upsampling
from fns_lab.targets import Target


class ResizePadGather(Rule):
    NAME = "resize-pad-gather"
    FIDELITY = "exact"
    EMITS = ("Gather",)
    TYPES = None

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Pad",)

    def pattern(self, op: OpsetPatternBuilder, x: ValuePattern) -> ValuePattern:
        return op.Pad(upsampling(op, x, "up"), _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, up: ir.Value, y: ir.Value) -> None:
        pad = producer(y)
        shape, scales, pads = fixed_shape(x), resize_scales(producer(up)), full_pads(pad)
        if (mode := pad.attributes.get_string("mode", "constant")) not in ("reflect", "edge"):
            raise Refusal(f"the Pad has mode {mode}, reflect or edge is needed")
        for axis, (size, scale) in enumerate(zip(shape, scales, strict=True)):
            if (most := max(pads[axis], pads[axis + len(shape)])) >= size * scale:
                raise Refusal(f"padding by {most} needs more than the {size * scale:g} values of axis {axis}")

    def rewrite(self, op: RewriterContext, x: ir.Value, up: ir.Value, y: ir.Value) -> ir.Value:
        pads, scales, result = full_pads(producer(y)), resize_scales(producer(up)), x
        mode = copy_mode(producer(y))
        for axis, size in enumerate(fixed_shape(x)):
            begin, end, scale = pads[axis], pads[axis + len(scales)], int(scales[axis])
            if begin or end or scale != 1:
                source = source_indices(size * scale, begin, end, mode) // scale
                indices = initializer(op, source, f"{y.name}.axis{axis}_source")
                result = op.Gather(result, indices, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
        return result if result is not x else op.Identity(x)
