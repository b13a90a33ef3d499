"""Cast of a boolean that is an index of 0 or 1 to a number, as a look-up.

    Cast(a)  =  Gather([0, 1], a)

- Supported: Cast 6 to 25 to any number, of booleans that `compare_arg_max` or `logic_index` wrote.
- Fidelity: exact.
- Needed by: ONNX.js, which has no Cast.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import producer
from fns_lab.rewrite.booleans import chosen, index_of
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext

NUMBERS = (ir.DataType.FLOAT, ir.DataType.INT32, ir.DataType.INT64)


class CastIndex(OpRule):
    NAME = "cast-index"
    FIDELITY = "exact"
    EMITS = ("Gather",)
    OPS = ("Cast",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if index_of(x) is None:
            raise Refusal(f"{x.name} is not the result of a comparison that was rewritten")
        if _to(y) not in NUMBERS:
            raise Refusal(f"Cast to {_to(y)}; float32, int32 or int64 is needed")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        index = index_of(x)
        assert index is not None
        return chosen(op, np.array([0, 1], _to(y).numpy()), index, y.name or "")


def _to(y: ir.Value) -> ir.DataType:
    return ir.DataType(producer(y).attributes.get_int("to", ir.DataType.UNDEFINED.value))
