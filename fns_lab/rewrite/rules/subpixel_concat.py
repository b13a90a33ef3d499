"""`subpixel-upsample-conv` with its four kernels apart, put together by Concat: no value is looked up one by one.

Rows 2i of the result come from rows i - 1 and i of the small image, rows 2i + 1 from i and i + 1; columns likewise.
So each of the four interleaved quarters of y is a 2x2 convolution of x with one line more, at the top or the bottom and
at the left or the right:

    y[2i + a, 2j + b] = Conv2x2(x and its edge line above (a = 0) or below (a = 1), left (b = 0) or right (b = 1), w_ab)

    four of (N, C', H, W)  ->  pairs of columns (N C' H W, 2)  ->  pairs of rows (N C' H, 4 W)  ->  y (N, C', 2 H, 2 W)

Fidelity: rounding, as there. It needs 24 nodes for 6, and no Transpose and no Slice, which ONNX.js computes index by
index on cpu and wasm.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import initializer
from fns_lab.rewrite.rules.pad_concat import surrounded
from fns_lab.rewrite.rules.subpixel_upsample_conv import PHASE_TAPS, SubpixelUpsampleConv

FIRST, NONE = np.array([0]), np.array([], np.int64)


class SubpixelConcat(SubpixelUpsampleConv):
    NAME = "subpixel-concat"
    EMITS = ("Conv", "Reshape", "Concat", "Gather")

    def rewrite(self, op, x: ir.Value, w: ir.Value, up: ir.Value, padded: ir.Value, y: ir.Value) -> ir.Value:
        n, _, h, width = fixed_shape(x)
        c_out, rows = len(constant_array(w)), []
        for a, half in enumerate(_with_one_line_more(op, x, 2, f"{y.name}.row")):
            quarters = [
                self._quarter(op, part, w, y, a, b)
                for b, part in enumerate(_with_one_line_more(op, half, 3, f"{y.name}.row{a}column"))
            ]
            rows.append(_interleaved(op, quarters, (n * c_out * h * width, 1), f"{y.name}.row{a}"))
        both = _interleaved(op, rows, (n * c_out * h, 2 * width), f"{y.name}.both")
        return self.reshape(op, both, (n, c_out, 2 * h, 2 * width), y.name)

    def _quarter(self, op, x: ir.Value, w: ir.Value, y: ir.Value, a: int, b: int) -> ir.Value:
        taps = PHASE_TAPS[1 - a], PHASE_TAPS[1 - b]
        kernel = np.einsum("uk,vl,ockl->ocuv", *taps, constant_array(w).astype(np.float64)).astype(np.float32)
        name = f"{y.name}.quarter{a}{b}"
        kernel = initializer(op, kernel, f"{name}_kernel")
        return op.Conv(x, kernel, *y.producer().inputs[2:], kernel_shape=[2, 2], _outputs=[name])


def _with_one_line_more(op, x: ir.Value, axis: int, name: str) -> tuple[ir.Value, ir.Value]:
    """`x` with its first line twice, and with its last line twice."""
    last = np.array([fixed_shape(x)[axis] - 1])
    pair = surrounded(op, x, axis, FIRST, NONE, f"{name}0_more"), surrounded(op, x, axis, NONE, last, f"{name}1_more")
    for value in pair:
        shape = list(fixed_shape(x))
        shape[axis] += 1
        value.shape, value.type = ir.Shape(shape), x.type
    return pair


def _interleaved(op, pair: list[ir.Value], shape: tuple[int, int], name: str) -> ir.Value:
    """Two values of one size as `shape` `(lines, length)`, line by line beside each other: `(lines, 2 length)`."""
    lines = initializer(op, np.array(shape), f"{name}.lines")
    return op.Concat(
        *(op.Reshape(value, lines, _outputs=[f"{name}.{i}"]) for i, value in enumerate(pair)), axis=1, _outputs=[name]
    )
