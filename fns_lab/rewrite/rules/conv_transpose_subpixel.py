"""ConvTranspose as one Conv at the small size, its s x s phases interleaved.

Row s i + r of a transposed convolution of stride s, before its padding is cut off, is

    sum_j x[i - j] w[s j + r],   j = 0 .. K' - 1,   K' = ceil(K / s)

Each phase r is a plain convolution with every s-th row of the kernel, flipped; the same holds for columns:

    x (N, C, H, W)  ->  Conv K' x K', padded by K' - 1  ->  (N, C' s s, H', W')  ->  Reshape, Transpose, Reshape
      ->  (N, C', s H', s W')  ->  Slice from `pads`  ->  y

With stride 1 it is one Conv and a Slice.

- Supported: ConvTranspose 1, 11 and 22 in two dimensions, a fixed size, constant weights; groups, dilations,
  output_padding, output_shape and auto_pad. Refused where the operator's text and ONNX Runtime derive different pads:
  for an output larger than without padding, and before opset 11 where the two sides differ; and for output_padding
  beside auto_pad SAME, which ONNX Runtime does not add to the output and ONNX's shape inference does.
- Fidelity: rounding.
- Needed by: all versions of ONNX.js, which have no ConvTranspose.
- Why not zeros between the pixels and a Conv at full size: it has s s times as many products.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, has_input, name_of, node_input, producer
from fns_lab.rewrite.convolution import dilated
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

SIDES_SINCE = 11
"""Opset from which the text puts the larger half of an odd padding where ONNX Runtime puts it."""


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
        if _pads_same(node) and any(node.attributes.get_ints("output_padding", [])):
            raise Refusal("it has output_padding and auto_pad SAME, of which engines make outputs of different sizes")
        kernel = dilated(constant_array(node.inputs[1]), node.attributes.get_ints("dilations", [1, 1]))
        for i in (0, 1) if _derives_pads(node) else ():
            total = _total_padding(node, i, kernel.shape[2 + i])
            if total < 0 and _derived_start(node, total):
                raise Refusal(f"the output is {-total} larger than without padding, along dimension {2 + i}")
            if total % 2 and self.opset < SIDES_SINCE:
                raise Refusal(f"the padding derived from the output's size is odd ({total}) before opset {SIDES_SINCE}")

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
        if has_input(node, 2):
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
    if _derives_pads(node):
        start = _derived_start(node, _total_padding(node, i, kernel))
    elif attributes.get_string("auto_pad", "NOTSET") == "VALID":
        start = 0
    taps = math.ceil(kernel / stride)
    rows = max(fixed_shape(node_input(node, 0))[2 + i] + taps - 1, math.ceil((start + size) / stride))
    return Phases(stride, taps, rows, start, size)


def _derives_pads(node: ir.Node) -> bool:
    """Return whether the pads follow from the size of the output."""
    return "output_shape" in node.attributes or _pads_same(node)


def _pads_same(node: ir.Node) -> bool:
    return node.attributes.get_string("auto_pad", "NOTSET") in ("SAME_UPPER", "SAME_LOWER")


def _total_padding(node: ir.Node, i: int, kernel: int) -> int:
    """Return how many rows are cut off, at the beginning and at the end together."""
    stride, more = (node.attributes.get_ints(k, [d] * 2)[i] for k, d in (("strides", 1), ("output_padding", 0)))
    rows = fixed_shape(node.inputs[0])[2 + i]
    return int(stride * (rows - 1) + more + kernel - fixed_shape(node.outputs[0])[2 + i])


def _derived_start(node: ir.Node, total: int) -> int:
    """Return how many of these rows are cut off at the beginning."""
    return total // 2 if node.attributes.get_string("auto_pad", "NOTSET") == "SAME_UPPER" else total - total // 2


def _phase_kernels(kernel: np.ndarray, group: int, down: Phases, across: Phases) -> np.ndarray:
    """Convert the kernel `(C, C' / group, K, L)` of a ConvTranspose to that of a Conv `(C' s t, C / group, K', L')`."""
    c_in, c_out, rows, columns = kernel.shape
    s, t = down.stride, across.stride
    full = np.pad(kernel, ((0, 0), (0, 0), (0, down.taps * s - rows), (0, across.taps * t - columns)))
    full = full.reshape(group, c_in // group, c_out, down.taps, s, across.taps, t)[:, :, :, ::-1, :, ::-1]
    ordered = full.transpose(0, 2, 4, 6, 1, 3, 5)
    return ordered.reshape(group * c_out * s * t, c_in // group, down.taps, across.taps).copy()
