"""The padding of a convolution as a Pad before it.

    Conv(x, w, pads)  =  Conv(Pad(x, pads), w, auto_pad=VALID)

ONNX Runtime would make one node of the two again if `auto_pad` were not VALID.

- Supported: Conv of any opset, one to three spatial dimensions, explicit pads.
- Fidelity: exact.
- Needed by: OpenCV, which overlooks the padding where the kernel is one element; ONNX Runtime Web webgpu, which
  overlooks padding at the end where the kernel is one element or the whole image.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.rule import OpRule, RewriterContext
from fns_lab.rewrite.windows import explicit_pads


class ConvPadFirst(OpRule):
    NAME = "conv-pad-first"
    FIDELITY = "exact"
    WORKS_AROUND = ("padded-points", "padded-at-end")
    EMITS = ("Conv", "Pad")
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        explicit_pads(producer(y))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv = producer(y)
        pads = explicit_pads(conv)
        axes = len(pads) // 2
        if any(pads):
            x = self.pad(op, x, [0, 0, *pads[:axes], 0, 0, *pads[axes:]], f"{y.name}.padded")
        kept = {name: attribute for name, attribute in conv.attributes.items() if name != "pads"}
        return op.Conv(x, *conv.inputs[1:], **kept | {"auto_pad": "VALID"})
