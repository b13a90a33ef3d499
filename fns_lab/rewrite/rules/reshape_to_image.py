"""Layers of one dimension, and normalizations of any, as the same layer of images.

    Conv(x (N, C, L), w (C', C, K))  =  Conv(x as (N, C, 1, L), w as (C', C, 1, K))  as  (N, C', L')
    InstanceNormalization(x (N, C, D, H, W))  =  InstanceNormalization(x as (N, C, D, H W))  as  (N, C, D, H, W)

A convolution or pool of one dimension has a kernel of one row. A normalization, like a global pool, does the same to
every position, so that the dimensions after the third become one.

- Supported: Conv, ConvTranspose, AveragePool, MaxPool and LpPool of one dimension; global pools, InstanceNormalization,
  BatchNormalization and LRN of any number of dimensions but two; any opset; a fixed shape; the first output.
- Fidelity: exact.
- Needed by: ONNX.js and ONNX Runtime Web on webgl, whose Conv takes images only.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, input_shape, node_input, producer, require_first_output_only
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext

CONVOLUTIONS = ("Conv", "ConvTranspose")
WINDOWS = (*CONVOLUTIONS, "AveragePool", "MaxPool", "LpPool")
GLOBAL_POOLS = ("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool")
NORMALIZATIONS = ("InstanceNormalization", "BatchNormalization", "LRN")
FIRST_ROW = {"kernel_shape": 1, "strides": 1, "dilations": 1, "output_shape": 1, "output_padding": 0}
"""What an attribute of a window holds for the height of an image of one row."""


class ReshapeToImage(OpRule):
    NAME = "reshape-to-image"
    FIDELITY = "exact"
    EMITS = ("Reshape",)
    OPS = (*WINDOWS, *GLOBAL_POOLS, *NORMALIZATIONS)
    TYPES = None

    def is_needed(self, nodes: Sequence[ir.Node]) -> bool:
        shape = input_shape(nodes[0], 0)
        return shape is not None and len(shape) != 4 and super().is_needed(nodes)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node, shape = producer(y), fixed_shape(x)
        fixed_shape(y)
        require_first_output_only(node)
        if self.root in WINDOWS and len(shape) != 3:
            raise Refusal(f"{x.name} has {len(shape) - 2} dimensions after the channels, 1 is needed")
        if self.root in CONVOLUTIONS:
            fixed_shape(node_input(node, 1))
        if not node.attributes.get_int("spatial", True) or node.attributes.get_int("training_mode", False):
            raise Refusal(f"the {self.root} does not use one mean and variance per channel")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        image = self.reshape(op, x, _image(fixed_shape(x)), f"{y.name}.image")
        others = list(node.inputs[1:])
        if self.root in CONVOLUTIONS:
            others[0] = self._kernel_of_one_row(op, node_input(node, 1), f"{y.name}.kernel")
        attributes = dict(node.attributes)
        if self.root in WINDOWS:
            attributes = {name: _of_an_image(attribute) for name, attribute in attributes.items()}
        result = op.op(self.root, image, *others, **attributes, _outputs=[f"{y.name}.of_image"])
        return self.reshape(op, result, fixed_shape(y), str(y.name))

    def _kernel_of_one_row(self, op: RewriterContext, kernel: ir.Value, name: str) -> ir.Value:
        c_out, c_in, size = fixed_shape(kernel)
        return self.reshape(op, kernel, (c_out, c_in, 1, size), name)


def _image(shape: tuple[int, ...]) -> tuple[int, int, int, int]:
    """Return the shape of an image with as many values: of one row, or with all dimensions after the third in one."""
    height = shape[2] if len(shape) > 3 else 1
    return (shape[0], shape[1], height, math.prod(shape[3 if len(shape) > 3 else 2 :]))


def _of_an_image(attribute: ir.Attr) -> ir.Attr:
    if attribute.name == "pads":
        begin, end = attribute.as_ints()
        return ir.AttrInt64s("pads", [0, begin, 0, end])
    if attribute.name in FIRST_ROW:
        return ir.AttrInt64s(attribute.name, [FIRST_ROW[attribute.name], attribute.as_ints()[-1]])
    return attribute
