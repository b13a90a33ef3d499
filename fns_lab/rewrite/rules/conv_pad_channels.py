"""Conv of channels that are no multiple of 4 as one of more channels, those beyond filled with zeros.

    Conv(x, w)  =  Conv(Pad(x), Pad(w)),   x (N, C, ...), w (C', C, ...),  both C padded to the next multiple of 4

- Supported: Conv of any opset, one group, known rank and number of channels, constant or computed weights.
- Fidelity: rounding (the sums are taken in another order).
- Needed by: ONNX Runtime Web on webgpu, whose shader for 3 channels at a time is wrong where there are more than 3
  (https://github.com/microsoft/onnxruntime/issues/29651). Other numbers of filters would do as well, but are slower.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, input_constant, node_input, producer, rank
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer
from fns_lab.targets.quirk_kinds.convolutions import VECTOR


class ConvPadChannels(OpRule):
    NAME = "conv-pad-channels"
    FIDELITY = "rounding"
    WORKS_AROUND = ("channels-by-three",)
    EMITS = ("Conv", "Pad")
    OPS = ("Conv",)
    TYPES = frozenset({ir.DataType.FLOAT, ir.DataType.FLOAT16})

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        conv = producer(y)
        rank(conv)
        if _missing(conv) == 0:
            raise Refusal("the number of channels is a multiple of 4 already")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        missing, dimensions = _missing(conv), rank(conv)
        pads = [0, 0, *[0] * (dimensions - 2), 0, missing, *[0] * (dimensions - 2)]
        padded = self.pad(op, x, pads, f"{y.name}.channels")
        kernel = input_constant(conv, 1)
        if kernel is None:
            weights = self.pad(op, node_input(conv, 1), pads, f"{y.name}.kernel")
        else:
            ends = [(0, size) for size in pads[dimensions:]]
            weights = initializer(op, np.pad(kernel, ends), f"{y.name}.kernel")
        return op.Conv(padded, weights, *conv.inputs[2:], **conv.attributes)


def _missing(conv: ir.Node) -> int:
    """Return how many channels are missing to a multiple of 4."""
    return -fixed_size(node_input(conv, 1), 1) % VECTOR
