"""ConvTranspose as one Conv at the small size, its s x s phases interleaved.

Row s i + r of a transposed convolution of stride s, before its padding is cut off, is

    sum_j x[i - j] w[s j + r],   j = 0 .. K' - 1,   K' = ceil(K / s)

Each phase r is a plain convolution with every s-th row of the kernel, flipped; the same holds for columns:

    x (N, C, H, W)  ->  Conv K' x K', padded by K' - 1  ->  (N, C' s s, H', W')  ->  Reshape, Transpose, Reshape
      ->  (N, C', s H', s W')  ->  Slice from `pads`  ->  y

With stride 1 it is one Conv and a Slice.

- Supported: ConvTranspose 1, 11 and 22 in two dimensions, a fixed size, constant weights; groups, dilations and
  output_padding; no output_shape, and of auto_pad only VALID.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have no ConvTranspose.
- Why not zeros between the pixels and a Conv at full size: it has s s times as many products.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, name_of, node_input, producer
from fns_lab.rewrite.convolution import dilated
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class Phases(NamedTuple):
    """The phases along one dimension, height or width.

    - `stride`: number of phases
    - `taps`: size of the kernel of one phase
    - `rows`: output size of one phase
    - `start`, `size`: first index and size of what is kept of the interleaved phases
    """

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
        node = producer(y)
        if len(fixed_shape(x)) != 4 or len(fixed_shape(y)) != 4:
            raise Refusal(f"{x.name} is not (N, C, H, W)")
        for weight in node.inputs[1:]:
            constant_array(weight)
        if (auto_pad := node.attributes.get_string("auto_pad", "NOTSET")) not in ("NOTSET", "VALID"):
            raise Refusal(f"auto_pad is {auto_pad}, explicit pads are needed")
        if "output_shape" in node.attributes:
            raise Refusal("the attribute output_shape is set, explicit pads are needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        n, _, height, width = fixed_shape(x)
        group = node.attributes.get_int("group", 1)
        kernel = dilated(constant_array(node.inputs[1]), node.attributes.get_ints("dilations", [1, 1]))
        down, across = both = [_phases(node, i, kernel.shape[2 + i]) for i in (0, 1)]
        weight = _phase_kernels(kernel, group, *both)
        s, t = down.stride, across.stride
        c_out = weight.shape[0] // (s * t)
        weights = [initializer(op, weight, f"{y.name}.phases")]
        if len(node.inputs) > 2 and node.inputs[2] is not None:
            weights.append(initializer(op, constant_array(node.inputs[2]).repeat(s * t), f"{y.name}.phase_bias"))
        before = [phases.taps - 1 for phases in both]
        after = [phases.rows - size for phases, size in zip(both, (height, width), strict=True)]
        small = op.Conv(
            x, *weights, kernel_shape=list(weight.shape[2:]), group=group, pads=[*before, *after],
            _outputs=[f"{y.name}.small"],
        )  # fmt: skip
        if s * t > 1:
            split = self.reshape(op, small, (n, c_out, s, t, down.rows, across.rows), f"{y.name}.split")
            mixed = op.Transpose(split, perm=[0, 1, 4, 2, 5, 3], _outputs=[f"{y.name}.mixed"])
            small = self.reshape(op, mixed, (n, c_out, s * down.rows, t * across.rows), f"{y.name}.joined")
        starts, ends = [phases.start for phases in both], [phases.start + phases.size for phases in both]
        return self.slice(op, small, starts, ends, [2, 3], name_of(y))


def _phases(node: ir.Node, i: int, kernel: int) -> Phases:
    attributes = node.attributes
    stride = attributes.get_ints("strides", [1, 1])[i]
    size, start = fixed_shape(node.outputs[0])[2 + i], attributes.get_ints("pads", [0] * 4)[i]
    taps = math.ceil(kernel / stride)
    rows = max(fixed_shape(node_input(node, 0))[2 + i] + taps - 1, math.ceil((start + size) / stride))
    return Phases(stride, taps, rows, start, size)


def _phase_kernels(kernel: np.ndarray, group: int, down: Phases, across: Phases) -> np.ndarray:
    """Convert the kernel `(C, C' / group, K, L)` of a ConvTranspose to that of a Conv `(C' s t, C / group, K', L')`."""
    c_in, c_out, rows, columns = kernel.shape
    s, t = down.stride, across.stride
    full = np.pad(kernel, ((0, 0), (0, 0), (0, down.taps * s - rows), (0, across.taps * t - columns)))
    full = full.reshape(group, c_in // group, c_out, down.taps, s, across.taps, t)[:, :, :, ::-1, :, ::-1]
    ordered = full.transpose(0, 2, 4, 6, 1, 3, 5)
    return ordered.reshape(group * c_out * s * t, c_in // group, down.taps, across.taps).copy()
