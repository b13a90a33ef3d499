"""ConvTranspose as one Conv at the small size, its s x s phases shuffled into place.

Row s i + r of a transposed convolution of stride s, before its padding is cut off, is

    sum_j x[i - j] w[s j + r],   j = 0 .. K' - 1,   K' = ceil(K / s)

so that each phase r is a plain convolution with every s-th row of the kernel, turned round. The same for columns:

    x (N, C, H, W)  ->  Conv K' x K', padded by K' - 1  ->  (N, C' s s, H', W')  ->  Reshape, Transpose, Reshape
      ->  (N, C', s H', s W')  ->  Slice from `pads`  ->  y

With stride 1 it is a Conv alone. Groups, dilations, output_padding, output_shape and auto_pad as in ONNX.
ConvTranspose 1, 11 and 22 in two dimensions with constant weights and a fixed size. Fidelity: rounding. No version of
ONNX.js has it; zeros between the pixels and a full-size Conv would multiply s s times as often.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import OpRule, Refusal, initializer


class Side(NamedTuple):
    """Height or width: stride, taps of a phase, rows that the phases have, first row and number of rows kept."""

    stride: int
    taps: int
    rows: int
    start: int
    size: int


class ConvTransposeSubpixel(OpRule):
    NAME = "conv-transpose-subpixel"
    FIDELITY = "rounding"
    EMITS = ("Conv", "Reshape", "Transpose", "Slice")
    OPS = ("ConvTranspose",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if len(fixed_shape(x)) != 4 or len(fixed_shape(y)) != 4:
            raise Refusal(f"{x.name} is not (N, C, H, W)")
        for weight in y.producer().inputs[1:]:
            constant_array(weight)
        if y.producer().attributes.get_string("auto_pad", "NOTSET") not in ("NOTSET", "VALID"):
            raise Refusal("it pads by itself (auto_pad)")
        if "output_shape" in y.producer().attributes:
            raise Refusal("it is given its output_shape")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        node = y.producer()
        n, _, height, width = fixed_shape(x)
        group = node.attributes.get_int("group", 1)
        kernel = _dilated(constant_array(node.inputs[1]), node.attributes.get_ints("dilations", [1, 1]))
        down, across = sides = [_side(node, i, kernel.shape[2 + i]) for i in (0, 1)]
        weight = _phases(kernel, group, *sides)
        c_out, (s, t) = weight.shape[0] // (down.stride * across.stride), (down.stride, across.stride)
        weights = [initializer(op, weight, f"{y.name}.phases")]
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            weights.append(initializer(op, constant_array(node.inputs[2]).repeat(s * t), f"{y.name}.phase_bias"))
        pads = [side.taps - 1 for side in sides]
        after = [side.rows - size for side, size in zip(sides, (height, width), strict=True)]
        small = op.Conv(
            x, *weights, kernel_shape=list(weight.shape[2:]), group=group, pads=[*pads, *after],
            _outputs=[f"{y.name}.small"],
        )  # fmt: skip
        if s * t > 1:
            split = self.reshape(op, small, (n, c_out, s, t, down.rows, across.rows), f"{y.name}.split")
            mixed = op.Transpose(split, perm=[0, 1, 4, 2, 5, 3], _outputs=[f"{y.name}.mixed"])
            small = self.reshape(op, mixed, (n, c_out, s * down.rows, t * across.rows), f"{y.name}.joined")
        starts, ends = [side.start for side in sides], [side.start + side.size for side in sides]
        return self.slice(op, small, starts, ends, [2, 3], y.name)


def _side(node: ir.Node, i: int, kernel: int) -> Side:
    attributes = node.attributes
    stride = attributes.get_ints("strides", [1, 1])[i]
    size, start = fixed_shape(node.outputs[0])[2 + i], attributes.get_ints("pads", [0] * 4)[i]
    taps = math.ceil(kernel / stride)
    rows = max(fixed_shape(node.inputs[0])[2 + i] + taps - 1, math.ceil((start + size) / stride))
    return Side(stride, taps, rows, start, size)


def _dilated(kernel: np.ndarray, dilations: tuple[int, ...]) -> np.ndarray:
    sides = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    full = np.zeros((*kernel.shape[:2], *sides), kernel.dtype)
    full[:, :, :: dilations[0], :: dilations[1]] = kernel
    return full


def _phases(kernel: np.ndarray, group: int, down: Side, across: Side) -> np.ndarray:
    """The kernel `(C, C' / group, K, L)` of a ConvTranspose as that of a Conv, `(C' s t, C / group, K', L')`."""
    c_in, c_out, rows, columns = kernel.shape
    s, t = down.stride, across.stride
    full = np.pad(kernel, ((0, 0), (0, 0), (0, down.taps * s - rows), (0, across.taps * t - columns)))
    full = full.reshape(group, c_in // group, c_out, down.taps, s, across.taps, t)[:, :, :, ::-1, :, ::-1]
    ordered = full.transpose(0, 2, 4, 6, 1, 3, 5)
    return ordered.reshape(group * c_out * s * t, c_in // group, down.taps, across.taps).copy()
