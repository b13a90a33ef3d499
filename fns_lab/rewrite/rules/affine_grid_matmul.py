"""AffineGrid as one matrix product.

    grid = P theta^T  as  (N, H, W, 2),   P (H W, 3) holds the position (x, y, 1) of each pixel, -1 to 1

theta `(N, 2, 3)`, or for volumes `(N, 3, 4)` with P `(D H W, 4)` and the grid `(N, D, H, W, 3)`.

- Supported: AffineGrid 20, a constant size, computed or constant theta; with align_corners no axis of one pixel, whose
  position the text does not say.
- Fidelity: rounding.
- Needed by: targets below opset 20, where the op does not exist.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer


class AffineGridMatMul(OpRule):
    NAME = "affine-grid-matmul"
    FIDELITY = "rounding"
    EMITS = ("MatMul", "Reshape", "Transpose")
    OPS = ("AffineGrid",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x)
        if _aligned(producer(y)) and 1 in _sizes(producer(y)):
            raise Refusal("an axis has one pixel, and its corners are aligned")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        sizes, n = _sizes(producer(y)), fixed_shape(x)[0]
        positions = initializer(op, _positions(sizes, _aligned(producer(y))), f"{y.name}.positions")
        turned = op.Transpose(x, perm=[0, 2, 1], _outputs=[f"{y.name}.theta"])
        grid = op.MatMul(positions, turned, _outputs=[f"{y.name}.flat"])
        return self.reshape(op, grid, (n, *sizes, len(sizes)), str(y.name))


def _aligned(node: ir.Node) -> bool:
    return bool(node.attributes.get_int("align_corners", 0))


def _sizes(node: ir.Node) -> list[int]:
    """Return the spatial sizes of the grid. Raises `NodeError` if they are computed."""
    sizes: list[int] = constant_array(node.inputs[1]).tolist()[2:]
    return sizes


def _positions(sizes: list[int], aligned: bool) -> np.ndarray:
    """Return the position of each pixel, the last axis first, and a 1, `(pixels, axes + 1)`."""
    lines = [np.linspace(-1, 1, n) if aligned else (2 * np.arange(n) + 1) / n - 1 for n in sizes]
    axes = [axis.reshape(-1) for axis in np.meshgrid(*lines, indexing="ij")]
    return np.stack([*axes[::-1], np.ones_like(axes[0])], axis=1).astype(np.float32)
