"""CenterCropPad as Slice and Pad.

    CenterCropPad(x, shape)  =  Pad(Slice(x, the middle of the axes that are cut), zeros around those that grow)

Of an odd number of elements, the smaller half is cut or added at the beginning.

- Supported: CenterCropPad 18, any element type, `x` of fixed shape, a constant `shape`.
- Fidelity: exact.
- Needed by: targets below opset 18, where the op does not exist.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, from_the_front, producer
from fns_lab.rewrite.rule import OpRule, RewriterContext, initializer


class CenterCropPad(OpRule):
    NAME = "center-crop-pad"
    FIDELITY = "exact"
    EMITS = ("Slice",)
    OPS = ("CenterCropPad",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        fixed_shape(x), _new_sizes(producer(y))

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        result, old, new = x, fixed_shape(x), _new_sizes(producer(y))
        cut = [axis for axis, size in new.items() if size < old[axis]]
        starts = [(old[axis] - new[axis]) // 2 for axis in cut]
        if cut:
            ends = [start + new[axis] for axis, start in zip(cut, starts, strict=True)]
            result = self.slice(op, x, starts, ends, cut, f"{y.name}.cut")
        added = np.array([max(new.get(axis, size) - size, 0) for axis, size in enumerate(old)])
        if not added.any():
            return result if cut else op.Identity(x)
        if cut:
            result.name = f"{y.name}.cropped"
        pads = np.concatenate([added // 2, added - added // 2]).astype(np.int64)
        return op.Pad(result, initializer(op, pads, f"{y.name}.pads"))


def _new_sizes(node: ir.Node) -> dict[int, int]:
    """Return the new size by axis. Raises `NodeError` if it is computed."""
    sizes, dimensions = constant_array(node.inputs[1]), len(fixed_shape(node.inputs[0]))
    axes = node.attributes.get_ints("axes", range(dimensions))
    return {from_the_front(a, dimensions): int(size) for a, size in zip(axes, sizes, strict=True)}
