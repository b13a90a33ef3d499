"""Nearest upsampling by 2, padding by 1 and a 3x3 Conv as four 2x2 Convs at the small size, interleaved by Concat.

Rows 2i of the result come from rows i - 1 and i of the small image, rows 2i + 1 from i and i + 1; columns likewise.
So each of the four interleaved quarters of y is a 2x2 Conv of x with one more row, at the top or the bottom, and one
more column, at the left or the right:

    y[2i + a, 2j + b] = Conv2x2(x with its edge row above (a = 0) or below (a = 1), left (b = 0) or right (b = 1), w_ab)

    four of (N, C', H, W)  ->  pairs of columns (N C' H W, 2)  ->  pairs of rows (N C' H, 4 W)  ->  y (N, C', 2 H, 2 W)

- Supported: as `subpixel-upsample-conv`.
- Fidelity: rounding (sums of kernel rows are rounded once).
- Needed by: no target. 24 nodes where `subpixel-upsample-conv` has 6, but no Transpose and no Slice, whose elements
  ONNX.js looks up one by one on cpu and wasm.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, name_of, producer
from fns_lab.rewrite.rule import RewriterContext, initializer
from fns_lab.rewrite.rules.pad_concat import surrounded
from fns_lab.rewrite.rules.subpixel_upsample_conv import PHASE_TAPS, SubpixelUpsampleConv

FIRST, NONE = np.array([0]), np.array([], np.int64)


class SubpixelConcat(SubpixelUpsampleConv):
    NAME = "subpixel-concat"
    EMITS = ("Conv", "Reshape", "Concat", "Gather")

    def rewrite(
        self, op: RewriterContext, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value
    ) -> ir.Value:
        n, _, h, width = fixed_shape(x)
        c_out, rows = len(constant_array(w)), []
        for a, half in enumerate(_with_edge_repeated(op, x, 2, f"{y.name}.row")):
            quarters = [
                self._quarter(op, part, w, y, a, b)
                for b, part in enumerate(_with_edge_repeated(op, half, 3, f"{y.name}.row{a}column"))
            ]
            rows.append(_interleaved(op, quarters, (n * c_out * h * width, 1), f"{y.name}.row{a}"))
        both = _interleaved(op, rows, (n * c_out * h, 2 * width), f"{y.name}.both")
        return self.reshape(op, both, (n, c_out, 2 * h, 2 * width), name_of(y))

    def _quarter(self, op: RewriterContext, x: ir.Value, w: ir.Value, y: ir.Value, a: int, b: int) -> ir.Value:
        taps = PHASE_TAPS[1 - a], PHASE_TAPS[1 - b]
        kernel = np.einsum("uk,vl,ockl->ocuv", *taps, constant_array(w).astype(np.float64)).astype(np.float32)
        name = f"{y.name}.quarter{a}{b}"
        weight, bias = initializer(op, kernel, f"{name}_kernel"), producer(y).inputs[2:]
        return op.Conv(x, weight, *bias, kernel_shape=[2, 2], _outputs=[name])


def _with_edge_repeated(op: RewriterContext, x: ir.Value, axis: int, name: str) -> tuple[ir.Value, ir.Value]:
    """Return `x` with its first row or column repeated once, and `x` with its last one repeated once."""
    last = np.array([fixed_shape(x)[axis] - 1])
    pair = surrounded(op, x, axis, FIRST, NONE, f"{name}0_more"), surrounded(op, x, axis, NONE, last, f"{name}1_more")
    for value in pair:
        shape = list(fixed_shape(x))
        shape[axis] += 1
        value.shape, value.type = ir.Shape(shape), x.type
    return pair


def _interleaved(op: RewriterContext, pair: list[ir.Value], shape: tuple[int, int], name: str) -> ir.Value:
    """Reshape two values to `shape`, `(rows, length)`, and join them row by row: `(rows, 2 length)`."""
    rows = initializer(op, np.array(shape), f"{name}.lines")
    return op.Concat(
        *(op.Reshape(value, rows, _outputs=[f"{name}.{i}"]) for i, value in enumerate(pair)), axis=1, _outputs=[name]
    )
