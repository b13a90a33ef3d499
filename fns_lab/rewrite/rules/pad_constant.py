"""Constant padding without Pad: one Concat with constants for each padded axis; a negative pad is a Slice.

    Pad(x, value)  =  Concat(value ..., x, value ...)  along each axis

Fixed sizes. Any opset with Pad. Fidelity: exact. ONNX.js has no Pad on cpu and wasm before 0.1.8.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, fixed_shape, full_pads
from fns_lab.rewrite.rule import OpRule, Refusal, initializer


class PadConstant(OpRule):
    NAME = "pad-constant"
    FIDELITY = "exact"
    EMITS = ("Concat", "Slice")
    OPS = ("Pad",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        node = y.producer()
        if (mode := node.attributes.get_string("mode", "constant")) != "constant":
            raise Refusal(f"padding in mode {mode} copies pixels")
        fixed_shape(x), full_pads(node), _value(node)

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        pads, shape, value = full_pads(y.producer()), list(fixed_shape(x)), _value(y.producer())
        last = x
        for axis in range(len(shape)):
            begin, end = pads[axis], pads[axis + len(shape)]
            if begin < 0 or end < 0:
                start, stop = max(-begin, 0), shape[axis] + min(end, 0)
                last = self.slice(op, last, [start], [stop], [axis], f"{y.name}.axis{axis}_cut")
                shape[axis] = stop - start
            if begin > 0 or end > 0:
                parts = [last]
                for where, width in (("before", begin), ("after", end)):
                    if width > 0:
                        block = np.full((*shape[:axis], width, *shape[axis + 1 :]), value, np.float32)
                        border = initializer(op, block, f"{y.name}.axis{axis}_{where}")
                        parts = [border, *parts] if where == "before" else [*parts, border]
                last = op.Concat(*parts, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
                shape[axis] += max(begin, 0) + max(end, 0)
        return last if last is not x else op.Identity(x)


def _value(node: ir.Node) -> float:
    value = constant_input(node, 2)
    return node.attributes.get_float("value", 0.0) if value is None else float(value.item())
