"""What the forms of a convolution share: the pattern, and which convolutions they take."""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import Refusal, Rule
from fns_lab.targets import Target


class ConvForm(Rule):
    """Another way to write a convolution, of `x` with the kernel `w`."""

    ADDS_SUPPORT = False

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Conv",)

    def pattern(self, op, x, w):
        return op.Conv(x, w, _allow_other_inputs=True, _outputs=["y"])


def plain_conv(node: ir.Node) -> None:
    """Raise `Refusal` unless a Conv has stride 1, no dilation, one group and explicit padding."""
    for name in ("strides", "dilations"):
        if set(node.attributes.get_ints(name, [1])) != {1}:
            raise Refusal(f"the convolution has {name} {list(node.attributes.get_ints(name))}")
    if node.attributes.get_int("group", 1) != 1 or node.attributes.get_string("auto_pad", "NOTSET") != "NOTSET":
        raise Refusal("the convolution is grouped or pads by itself")


def plain_conv_of_one(x: ir.Value, w: ir.Value, y: ir.Value) -> None:
    """Raise `Refusal` unless a plain Conv of constant weights takes one image x `(1, C, H, W)` of a fixed size."""
    plain_conv(y.producer())
    if constant_array(w).ndim != 4 or fixed_shape(x)[0] != 1:
        raise Refusal(f"{x.name} is not (1, C, H, W)")
    biases(y.producer())


def biases(conv: ir.Node) -> list[np.ndarray]:
    """The bias `(C',)` of a Conv, or nothing. Raises `Refusal` if it is computed."""
    return [constant_array(bias) for bias in conv.inputs[2:]]
