"""Constant padding as one Concat with constants per padded axis; a negative pad as a Slice.

    Pad(x, value)  =  Concat(value ..., x, value ...)  along each axis

- Supported: Pad of any opset in mode constant, `x` of fixed shape, constant pads and value.
- Fidelity: exact.
- Needed by: ONNX.js before 0.1.8 on cpu and wasm, which has no Pad.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, fixed_shape, full_pads, producer
from fns_lab.rewrite.rule import NUMBERS, OpRule, Refusal, RewriterContext, dtype_of, initializer


class PadConstant(OpRule):
    NAME = "pad-constant"
    FIDELITY = "exact"
    EMITS = ("Concat", "Slice")
    OPS = ("Pad",)
    TYPES = NUMBERS | {ir.DataType.BOOL}

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        pad = producer(y)
        if (mode := pad.attributes.get_string("mode", "constant")) != "constant":
            raise Refusal(f"the Pad has mode {mode}, constant is needed")
        fixed_shape(x), full_pads(pad), _value(pad)

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        pads, shape, value = full_pads(producer(y)), list(fixed_shape(x)), _value(producer(y))
        result = x
        for axis in range(len(shape)):
            begin, end = pads[axis], pads[axis + len(shape)]
            if begin < 0 or end < 0:
                start, stop = max(-begin, 0), shape[axis] + min(end, 0)
                result = self.slice(op, result, [start], [stop], [axis], f"{y.name}.axis{axis}_cut")
                shape[axis] = stop - start
            if begin > 0 or end > 0:
                parts = [result]
                for place, width in (("before", begin), ("after", end)):
                    if width > 0:
                        block = np.full((*shape[:axis], width, *shape[axis + 1 :]), value, dtype_of(x))
                        border = initializer(op, block, f"{y.name}.axis{axis}_{place}")
                        parts = [border, *parts] if place == "before" else [*parts, border]
                result = op.Concat(*parts, axis=axis, _outputs=[f"{y.name}.axis{axis}"])
                shape[axis] += max(begin, 0) + max(end, 0)
        return result if result is not x else op.Identity(x)


def _value(pad: ir.Node) -> np.ndarray:
    """Return the one value of the padding; an int64 may be one that no float holds."""
    value = constant_input(pad, 2)
    return np.array(pad.attributes.get_float("value", 0.0)) if value is None else value.reshape(())
