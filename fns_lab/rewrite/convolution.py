"""What the rules for convolutions share: which convolutions they support, biases, dilated kernels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import Refusal


def require_plain(conv: ir.Node) -> None:
    """Raise `Refusal` unless a Conv has stride 1, dilation 1, one group and explicit padding."""
    for name in ("strides", "dilations"):
        if set(conv.attributes.get_ints(name, [1])) != {1}:
            raise Refusal(f"the Conv has {name} {list(conv.attributes.get_ints(name, []))}, 1 is needed")
    if (group := conv.attributes.get_int("group", 1)) != 1:
        raise Refusal(f"the Conv has {group} groups, 1 is needed")
    if (auto_pad := conv.attributes.get_string("auto_pad", "NOTSET")) != "NOTSET":
        raise Refusal(f"the Conv has auto_pad {auto_pad}, explicit pads are needed")


def require_unpadded(conv: ir.Node) -> None:
    """Raise `Refusal` unless all pads of a Conv are 0."""
    if any(pads := conv.attributes.get_ints("pads", [0])):
        raise Refusal(f"the Conv has pads {list(pads)}, 0 is needed")


def require_one_image(conv: ir.Node, x: ir.Value) -> None:
    """Raise `Refusal` unless a Conv reads one image x `(1, C, H, W)` of fixed size and constant weights."""
    if constant_array(conv.inputs[1]).ndim != 4 or fixed_shape(x)[0] != 1:
        raise Refusal(f"{x.name} is not (1, C, H, W)")
    biases(conv)


def biases(conv: ir.Node) -> list[np.ndarray]:
    """Return the bias `(C',)` of a Conv in a list, an empty list without one. Raises `NodeError` if it is computed."""
    return [constant_array(bias) for bias in conv.inputs[2:]]


def dilated(kernel: np.ndarray, dilations: Sequence[int]) -> np.ndarray:
    """Return a kernel `(C', C, K, L)` whose taps are `dilations` apart, with zeros between them."""
    spatial = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    full = np.zeros((*kernel.shape[:2], *spatial), kernel.dtype)
    full[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = kernel
    return full
