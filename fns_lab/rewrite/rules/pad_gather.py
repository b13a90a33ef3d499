"""Reflect, edge and wrap padding as one Gather per padded axis.

    Pad(x, mode=reflect | edge | wrap)  =  Gather(Gather(x, rows, axis=2), columns, axis=3)

`rows` and `columns` hold the source index of each output index: x `(N, C, H, W)` to y `(N, C, H', W')`.

- Supported: Pad of any opset, `x` of fixed shape, constant pads; a reflection by less than the size of the axis; for
  wrap no negative pads.
- Fidelity: exact.
- Needed by: ONNX.js before 0.1.8 on cpu and wasm, which has no Pad.
- Why not zero padding, as in the ONNX.js author's own model: it is another function at the image's border.
"""

from __future__ import annotations

from typing import ClassVar, Literal

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape, full_pads, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer

CopyMode = Literal["reflect", "edge", "wrap"]
COPY_MODES: dict[str, CopyMode] = {"reflect": "reflect", "edge": "edge", "wrap": "wrap"}
"""Modes of Pad that copy elements of `x`."""


class PadGather(OpRule):
    NAME = "pad-gather"
    FIDELITY = "exact"
    EMITS: ClassVar[tuple[str, ...]] = ("Gather",)
    OPS = ("Pad",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        mode, pads = copy_mode(producer(y)), full_pads(producer(y))
        if mode == "wrap" and min(pads) < 0:
            raise Refusal(f"pads are {pads}, mode wrap needs pads of at least 0")
        for axis, size in enumerate(fixed_shape(x)):
            begin, end = pads[axis], pads[axis + len(pads) // 2]
            kept = size + min(begin, 0) + min(end, 0)
            if mode == "reflect" and max(begin, end, 0) >= kept:
                raise Refusal(f"reflection by {max(begin, end)} needs more than the {kept} values of axis {axis}")
            if kept < 1:
                raise Refusal(f"axis {axis} has no elements to copy")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        mode, pads, shape = copy_mode(producer(y)), full_pads(producer(y)), fixed_shape(x)
        result = x
        for axis, size in enumerate(shape):
            begin, end = pads[axis], pads[axis + len(shape)]
            if begin or end:
                source = source_indices(size, begin, end, mode)
                result = self.padded(op, result, axis, source, begin, end, f"{y.name}.axis{axis}")
        return result if result is not x else op.Identity(x)

    def padded(
        self, op: RewriterContext, x: ir.Value, axis: int, source: np.ndarray, begin: int, end: int, name: str
    ) -> ir.Value:
        """Pad one axis: `source` are the indices to copy, of which the first `begin` and the last `end` are padding."""
        return op.Gather(x, initializer(op, source, f"{name}_source"), axis=axis, _outputs=[name])


def copy_mode(pad: ir.Node) -> CopyMode:
    """Return the mode of a Pad. Raises `Refusal` if it is none of `COPY_MODES`."""
    mode = pad.attributes.get_string("mode", "constant")
    if mode not in COPY_MODES:
        raise Refusal(f"the Pad has mode {mode}; reflect, edge or wrap is needed, since a Gather only copies")
    return COPY_MODES[mode]


def source_indices(size: int, begin: int, end: int, mode: CopyMode) -> np.ndarray:
    """Return the index that each index of a padded axis copies, `(begin + size + end,)`; negative pads cut off."""
    source = np.pad(np.arange(size, dtype=np.int64), (max(begin, 0), max(end, 0)), mode=mode)
    return source[max(-begin, 0) : len(source) - max(-end, 0)]
