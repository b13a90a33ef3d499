"""The attribute auto_pad as explicit pads.

    total = max((ceil(size / stride) - 1) stride + (kernel - 1) dilation + 1 - size, 0)

SAME_UPPER puts the larger half of `total` at the end, SAME_LOWER at the beginning; VALID means no padding.

- Supported: Conv, MaxPool and AveragePool of any opset, a fixed size. Where `total` without the limit of 0 would be
  below -1, engines begin at different elements, and even one engine does for different ops.
- Fidelity: exact.
- Needed by: ONNX.js, which computes other sizes for SAME_UPPER with strides; where `total` would be below 0, ONNX
  Runtime, whose pools fail, and ONNX Runtime Web on webgl, which begins after the first element.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.windows import explicit_pads


class ExplicitPads(OpRule):
    NAME = "explicit-pads"
    FIDELITY = "exact"
    WORKS_AROUND = ("auto-pad", "unread-end")
    EMITS = ()
    OPS = ("Conv", "MaxPool", "AveragePool")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        explicit_pads(producer(y))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        node = producer(y)
        kept = {name: attribute for name, attribute in node.attributes.items() if name not in ("auto_pad", "pads")}
        return op.op(node.op_type, *node.inputs, **kept, pads=explicit_pads(node))
