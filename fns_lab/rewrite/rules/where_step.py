"""Where with a condition that is computed as 0 or 1 in float32, as a sum of products.

    Where(c, a, b)  =  c a + (1 - c) b              an infinity in a constant b:  (1 - c) sign(b) largest * 4

- Supported: Where 9 and 16, float32 of any shape; a condition that comparisons and logic compute from float32
  (`fns_lab.rewrite.steps`); values that are finite wherever the inputs of the model are, or constants without NaN.
- Fidelity: rounding; a zero may lose its sign.
- Needed by: ONNX.js and ONNX Runtime Web on webgl, which have neither Where nor ArgMax.
- Why not for any value: what is not chosen stays if it is NaN or infinite, as an Exp or Log may be.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import name_of, node_inputs, producer
from fns_lab.rewrite.finite import raise_unless_finite
from fns_lab.rewrite.rule import OpRule, Refusal, RewriterContext, initializer, scalar
from fns_lab.rewrite.steps import LARGEST, STEP_OPS, opposite, raise_unless_step, step_of


class WhereStep(OpRule):
    NAME = "where-step"
    FIDELITY = "rounding"
    EMITS = ("Add", *STEP_OPS)
    OPS = ("Where",)
    TYPES = None

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        condition, *choices = node_inputs(producer(y))
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, float32 is needed")
        raise_unless_step(condition)
        for value in choices:
            if (tensor := ir.convenience.get_const_tensor(value)) is None:
                raise_unless_finite(value)
            elif np.isnan(tensor.numpy()).any():
                raise Refusal(f"{value.name} holds NaN")

    def rewrite(self, op: RewriterContext, x: ir.Value, y: ir.Value) -> ir.Value:
        (condition, a, b), name = node_inputs(producer(y)), name_of(y)
        step = step_of(op, condition, f"{name}.condition")
        first = self._chosen(op, a, step, f"{name}.true")
        second = self._chosen(op, b, opposite(op, step, f"{name}.not"), f"{name}.false")
        return op.Add(first, second)

    def _chosen(self, op: RewriterContext, value: ir.Value, step: ir.Value, name: str) -> ir.Value:
        """Return the value where the step is 1 and 0 elsewhere."""
        tensor = ir.convenience.get_const_tensor(value)
        if tensor is None or np.isfinite(array := tensor.numpy()).all():
            return op.Mul(step, value, _outputs=[name])
        infinite = np.isinf(array)
        signs = initializer(op, np.where(infinite, np.sign(array) * LARGEST, 0).astype(np.float32), f"{name}.signs")
        large = op.Mul(step, signs, _outputs=[f"{name}.large"])
        result = op.Mul(large, scalar(op, value, 4.0, f"{name}.overflow"), _outputs=[f"{name}.infinite"])
        if infinite.all():
            return result
        finite = initializer(op, np.where(infinite, 0, array).astype(np.float32), f"{name}.finite")
        return op.Add(op.Mul(step, finite, _outputs=[f"{name}.chosen"]), result, _outputs=[name])
