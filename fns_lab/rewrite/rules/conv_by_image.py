"""Conv of several images as one Conv an image.

    Conv(x)  =  Concat(Conv(x[0:1]), Conv(x[1:2]), ...)  along axis 0

x `(N, C, H, W)`, N fixed. Conv of any opset. Fidelity: exact. The cpu backend of ONNX.js 0.1.8 writes every image's
result where the first one's belongs and leaves the others at their bias.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_size
from fns_lab.rewrite.rule import OpRule


class ConvByImage(OpRule):
    NAME = "conv-by-image"
    FIDELITY = "exact"
    WORKS_AROUND = ("batch",)
    EMITS = ("Slice", "Concat")
    OPS = ("Conv",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_size(x, 0)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        node, parts = y.producer(), []
        for i in range(fixed_size(x, 0)):
            image = self.slice(op, x, [i], [i + 1], [0], f"{y.name}.image{i}")
            image.name = f"{y.name}.image{i}"
            parts.append(op.Conv(image, *node.inputs[1:], **node.attributes, _outputs=[f"{y.name}.part{i}"]))
        return op.Concat(*parts, axis=0)
