"""Clip with an infinite limit as one with the largest number for it.

    Clip(x, -inf, high)  =  Clip(x, -3.4e38, high)

- Supported: Clip of any opset, `x` float32 of any shape, constant limits, none of them NaN.
- Fidelity: rounding; an infinite `x` becomes 3.4e38.
- Needed by: ONNX.js 0.1.8 and ONNX Runtime Web on webgl, which write the limits into a shader as numbers.
- Why not leave the limit out: ONNX Runtime Web takes both limits or none.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext

LARGEST = float(np.finfo(np.float32).max)


class ClipFinite(OpRule):
    NAME = "clip-finite"
    FIDELITY = "rounding"
    WORKS_AROUND = ("infinite-number",)
    EMITS = ("Clip",)
    OPS = ("Clip",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        if any(np.isnan(limit) for limit in _limits(producer(y))):
            raise Refusal("a limit is NaN")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        low, high = (min(max(limit, -LARGEST), LARGEST) for limit in _limits(producer(y)))
        return self.clip(op, x, low, high, f"{y.name}.clipped")


def _limits(clip: ir.Node) -> tuple[float, float]:
    """Return both limits, the largest numbers where none is given. Raises `NodeError` if one is computed."""
    return _limit(clip, 1, "min", -LARGEST), _limit(clip, 2, "max", LARGEST)


def _limit(clip: ir.Node, index: int, attribute: str, default: float) -> float:
    array = constant_input(clip, index)
    return float(clip.attributes.get_float(attribute, default) if array is None else array.item())
