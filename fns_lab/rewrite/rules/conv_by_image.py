"""Conv of several images as one Conv per image.

    Conv(x)  =  Concat(Conv(x[0:1]), Conv(x[1:2]), ...)  along axis 0

- Supported: Conv of any opset, x `(N, C, H, W)`, N fixed.
- Fidelity: exact.
- Needed by: ONNX.js 0.1.8 on cpu, which writes the result of every image to the place of the first and leaves the
  others at their bias.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext


class ConvByImage(OpRule):
    NAME = "conv-by-image"
    FIDELITY = "exact"
    WORKS_AROUND = ("batch",)
    EMITS = ("Slice", "Concat")
    OPS = ("Conv",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if not fixed_size(x, 0):
            raise Refusal(f"{x.name} has no images")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        conv, parts = producer(y), []
        for i in range(fixed_size(x, 0)):
            image = self.slice(op, x, [i], [i + 1], [0], f"{y.name}.image{i}")
            image.name = f"{y.name}.image{i}"
            image.type, image.shape = x.type, _shape_of_one(x)
            parts.append(op.Conv(image, *conv.inputs[1:], **conv.attributes, _outputs=[f"{y.name}.part{i}"]))
        return op.Concat(*parts, axis=0)


def _shape_of_one(x: ir.Value) -> ir.Shape | None:
    """Return the shape of one image of `x`, so that the new Conv is known to have no quirk."""
    return None if x.shape is None else ir.Shape([1, *x.shape[1:]])
