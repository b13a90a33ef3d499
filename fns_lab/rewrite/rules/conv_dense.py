"""Conv with groups or dilations as a plain Conv, its kernel filled up with zeros.

    w (C', C / group, K, L)  ->  (C', C, (K - 1) d + 1, (L - 1) d' + 1),   group 1, dilations 1

The zeros stand for the channels of other groups and for the values that a dilated kernel skips. The new Conv has
`group` d d' times as many products.

- Supported: Conv of any opset, constant weights.
- Fidelity: rounding (the zeros change the order of the sums).
- Needed by: ONNX.js, which fails on groups in 0.1.3 and 0.1.4 on cpu, gives wrong values for them up to 0.1.8 on webgl
  (there, one channel and one filter per group are right), and wrong sizes for dilations in 0.1.3 and 0.1.4 on wasm;
  ONNX Runtime Web on webgpu, for some numbers of filters per group.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, producer
from fns_lab.rewrite.convolution import dilated
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

MOST_VALUES = 2**24
"""Largest filled-up kernel, in float32 values: 64 MB."""


class ConvDense(OpRule):
    NAME = "conv-dense"
    FIDELITY = "rounding"
    WORKS_AROUND = ("grouped", "grouped-wide", "uneven-groups", "dilated")
    EMITS = ("Conv",)
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        conv = producer(y)
        w = constant_array(conv.inputs[1])
        if self._is_grouped(conv) and w.size * conv.attributes.get_int("group", 1) > MOST_VALUES:
            raise Refusal(f"the kernel without groups would have more than {MOST_VALUES} values")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        kernel, attributes = constant_array(conv.inputs[1]), dict(conv.attributes)
        if self._is_grouped(conv):
            kernel = _without_groups(kernel, attributes.pop("group").as_int())
        if self.has_quirk(("dilated",), [conv]):
            kernel = dilated(kernel, attributes.pop("dilations").as_ints())
        attributes["kernel_shape"] = ir.AttrInt64s("kernel_shape", kernel.shape[2:])
        return op.Conv(x, initializer(op, kernel, f"{y.name}.kernel"), *conv.inputs[2:], **attributes)

    def _is_grouped(self, conv: ir.Node) -> bool:
        return self.has_quirk(("grouped", "grouped-wide", "uneven-groups"), [conv])


def _without_groups(kernel: np.ndarray, group: int) -> np.ndarray:
    c_out, c = kernel.shape[:2]
    full = np.zeros((c_out, c * group, *kernel.shape[2:]), kernel.dtype)
    for g in range(group):
        rows = slice(g * c_out // group, (g + 1) * c_out // group)
        full[rows, g * c : (g + 1) * c] = kernel[rows]
    return full
