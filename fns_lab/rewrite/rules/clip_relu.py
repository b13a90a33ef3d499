"""Clip as two Relu.

    Clip(x, low, high)  =  high - Relu(high - low - Relu(x - low))

With only one limit, one Relu.

- Supported: Clip of any opset, `x` float32 of any shape, constant limits of at most 8: between them a value is rounded
  as the limits are, to 1e-6 at most, and beside a limit of 1e9 it would be lost.
- Fidelity: rounding between the limits, exact at and beyond them.
- Needed by: ONNX.js before 0.1.5, which has no Clip.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_input, producer
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, scalar

LARGEST_LIMIT = 8.0
"""Largest limit, in absolute value, that the rule writes."""


class ClipRelu(OpRule):
    NAME = "clip-relu"
    FIDELITY = "rounding"
    EMITS = ("Relu", "Add", "Sub")
    OPS = ("Clip",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        low, high = _limits(producer(y))
        if low is not None and high is not None and low > high:
            raise Refusal(f"the lower limit {low:g} is above the upper limit {high:g}")
        if any(limit is not None and abs(limit) > LARGEST_LIMIT for limit in (low, high)):
            raise Refusal(f"a limit is beyond {LARGEST_LIMIT:g}, where a difference of it and {x.name} is too coarse")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        low, high = _limits(producer(y))
        positive = x
        if low is not None:
            above = op.Sub(x, scalar(op, x, low, f"{y.name}.above.low"), _outputs=[f"{y.name}.above"]) if low else x
            positive = op.Relu(above, _outputs=[f"{y.name}.positive"])
            if high is None:
                return op.Add(positive, scalar(op, x, low, f"{y.name}.low")) if low else op.Identity(positive)
        if high is None:
            return op.Identity(x)
        room = op.Sub(scalar(op, x, high - (low or 0.0), f"{y.name}.range"), positive, _outputs=[f"{y.name}.room"])
        kept = op.Relu(room, _outputs=[f"{y.name}.kept"])
        return op.Sub(scalar(op, x, high, f"{y.name}.high"), kept)


def _limits(clip: ir.Node) -> tuple[float | None, float | None]:
    """Return the limits, None for one that is absent or infinite in float32. Raises `NodeError` if one is computed."""
    return _limit(clip, 1, "min"), _limit(clip, 2, "max")


def _limit(clip: ir.Node, index: int, attribute: str) -> float | None:
    array = constant_input(clip, index)
    limit = clip.attributes.get_float(attribute, None) if array is None else float(array.item())
    return None if limit is None or abs(limit) >= np.finfo(np.float32).max else limit
