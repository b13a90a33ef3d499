"""A Conv's kernel written out in full: zeros for the channels of other groups and for the taps that dilation skips.

    w (C', C / group, K, L)  ->  (C', C, (K - 1) d + 1, (L - 1) d' + 1),   group 1, dilations 1

Conv of any opset with constant weights. Fidelity: rounding (the zeros change the order of the sums). It multiplies
`group` d d' times as often. ONNX.js fails on groups in 0.1.3 and 0.1.4 cpu, gives wrong numbers for them on webgl up to
0.1.8 (there right for one channel a group), and wrong sizes for dilations on wasm in 0.1.3 and 0.1.4.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array
from fns_lab.rewrite.rule import OpRule, Refusal, initializer

MOST_VALUES = 2**24
"""In a kernel that is written out: 64 MB."""


class ConvDense(OpRule):
    NAME = "conv-dense"
    FIDELITY = "rounding"
    WORKS_AROUND = ("grouped", "grouped-wide", "dilated")
    EMITS = ("Conv",)
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = y.producer()
        w = constant_array(node.inputs[1])
        if self._is_grouped(node) and w.size * node.attributes.get_int("group", 1) > MOST_VALUES:
            raise Refusal(f"the whole kernel would have more than {MOST_VALUES} values")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        node = y.producer()
        kernel, kept = constant_array(node.inputs[1]), dict(node.attributes)
        if self._is_grouped(node):
            kernel = _without_groups(kernel, kept.pop("group").as_int())
        if self.quirk_touches(("dilated",), [node]):
            kernel = _without_dilations(kernel, kept.pop("dilations").as_ints())
        kept["kernel_shape"] = ir.AttrInt64s("kernel_shape", kernel.shape[2:])
        return op.Conv(x, initializer(op, kernel, f"{y.name}.kernel"), *node.inputs[2:], **kept)

    def _is_grouped(self, node: ir.Node) -> bool:
        return self.quirk_touches(("grouped", "grouped-wide"), [node])


def _without_groups(kernel: np.ndarray, group: int) -> np.ndarray:
    c_out, c = kernel.shape[:2]
    full = np.zeros((c_out, c * group, *kernel.shape[2:]), kernel.dtype)
    for g in range(group):
        rows = slice(g * c_out // group, (g + 1) * c_out // group)
        full[rows, g * c : (g + 1) * c] = kernel[rows]
    return full


def _without_dilations(kernel: np.ndarray, dilations) -> np.ndarray:
    sides = [(k - 1) * d + 1 for k, d in zip(kernel.shape[2:], dilations, strict=True)]
    full = np.zeros((*kernel.shape[:2], *sides), kernel.dtype)
    full[(slice(None), slice(None), *(slice(None, None, d) for d in dilations))] = kernel
    return full
