"""A convolution whose number of outputs is odd as one with a whole block of them, of which the rest is cut off.

    y = Conv(x, w, b)  =  Conv(x, [w; 0], [b; 0])[:, :C']

w `(C', C, K, L)` gets filters of zeros up to a multiple of 16; y `(N, C', H, W)` is the front of the wider result.
Fidelity: exact. ONNX Runtime on a CPU works on 8 or 16 channels at a time and falls back to a slow matrix product for a
convolution to 3, which takes four times as long as one to 16 (`MlasNchwcGetBlockSize`, onnxruntime/core/mlas).
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.rewrite.rule import Refusal, Rule, const, constant
from fns_lab.targets import Target

BLOCK = 16
"""Channels that the widest vector instructions, AVX-512, hold."""


class ConvWiden(Rule):
    NAME = "conv-widen"
    FIDELITY = "exact"
    EMITS = ("Conv", "Slice")

    @classmethod
    def roots(cls, target: Target) -> tuple[str, ...]:
        return ("Conv",)

    def pattern(self, op, x, w):
        return op.Conv(x, w, _allow_other_inputs=True, _outputs=["y"])

    def guard(self, x: ir.Value, w: ir.Value, y: ir.Value) -> None:
        if y.producer().attributes.get_int("group", 1) != 1:
            raise Refusal("the convolution is grouped")
        if len(const(w)) % BLOCK == 0:
            raise Refusal(f"{len(const(w))} outputs fill whole blocks of {BLOCK}")
        for bias in y.producer().inputs[2:]:
            const(bias)

    def rewrite(self, op, x: ir.Value, w: ir.Value, y: ir.Value) -> ir.Value:
        node, c_out = y.producer(), len(const(w))
        wide = [
            constant(op, _widened(const(value)), f"{y.name}.wide_{kind}")
            for value, kind in zip(node.inputs[1:], ("kernels", "bias"), strict=False)
        ]
        return self.slice(
            op, op.Conv(x, *wide, **node.attributes, _outputs=[f"{y.name}.wide"]), [0], [c_out], [1], f"{y.name}.front"
        )


def _widened(array: np.ndarray) -> np.ndarray:
    """Zeros after the last along the first axis, up to a multiple of `BLOCK`."""
    return np.pad(array, [(0, -len(array) % BLOCK), *[(0, 0)] * (array.ndim - 1)])
