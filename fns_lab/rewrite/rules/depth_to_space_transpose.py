"""DepthToSpace and SpaceToDepth as Reshape, Transpose, Reshape, as ONNX defines them.

    DepthToSpace, blocks of b:  (N, C b b, H, W)  ->  six axes  ->  (N, C, H b, W b)
    SpaceToDepth, blocks of b:  (N, C, H b, W b)  ->  six axes  ->  (N, b b C, H, W)

- Supported: DepthToSpace of any opset in both modes (DCR: the block's axes come before the channels, CRD: after them)
  and SpaceToDepth of any opset; fixed shapes.
- Fidelity: exact.
- Needed by: all versions of ONNX.js, which have neither.
"""

from __future__ import annotations

import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, name_of, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext


class DepthToSpaceTranspose(OpRule):
    NAME = "depth-to-space-transpose"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Transpose")
    OPS = ("DepthToSpace", "SpaceToDepth")
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        n, c, h, w = fixed_shape(x)
        attributes = producer(y).attributes
        b = attributes["blocksize"].as_int()
        crd = attributes.get_string("mode", "DCR") == "CRD"
        if self.root == "SpaceToDepth":
            split, perm = (n, c, h // b, b, w // b, b), [0, 1, 3, 5, 2, 4] if crd else [0, 3, 5, 1, 2, 4]
            joined = (n, c * b * b, h // b, w // b)
        elif not crd:
            split, perm = (n, b, b, c // (b * b), h, w), [0, 3, 4, 1, 5, 2]
            joined = (n, c // (b * b), h * b, w * b)
        else:
            split, perm = (n, c // (b * b), b, b, h, w), [0, 1, 4, 2, 5, 3]
            joined = (n, c // (b * b), h * b, w * b)
        blocks = self.reshape(op, x, split, f"{y.name}.split")
        return self.reshape(op, op.Transpose(blocks, perm=perm, _outputs=[f"{y.name}.mixed"]), joined, name_of(y))
