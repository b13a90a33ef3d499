"""Where with a constant condition as one Gather from both sides laid end to end.

    Where(c, a, b)  =  Gather(Concat(Reshape(a, (-1,)), Reshape(b, (-1,))), source)

`source` has the shape of the result and says where each of its values lies; of a constant side only the values that
are used, and its first, are laid down, each once. Fixed sizes, any that broadcast. Where 9 and 16. Fidelity: exact,
also for NaN and infinities in what is not chosen, which a product with a mask of zeros would let through. ONNX.js has
neither Where nor a way from booleans to numbers.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape
from fns_lab.rewrite.rule import OpRule, Refusal, initializer


class WhereGather(OpRule):
    NAME = "where-gather"
    FIDELITY = "exact"
    EMITS = ("Reshape", "Concat", "Gather")
    OPS = ("Where",)

    def guard(self, x: ir.Value, y: ir.Value) -> None:
        constant_array(x)
        for side in y.producer().inputs[1:]:
            fixed_shape(side)
        if y.dtype != ir.DataType.FLOAT:
            raise Refusal(f"{y.name} is {y.dtype}, values of float32 alone are laid end to end")
        if 0 in fixed_shape(y):
            raise Refusal(f"{y.name} holds no values")

    def rewrite(self, op, x: ir.Value, y: ir.Value) -> ir.Value:
        _, a, b = y.producer().inputs
        holds = constant_array(x).astype(bool)
        shape = np.broadcast_shapes(holds.shape, fixed_shape(a), fixed_shape(b))
        holds = np.broadcast_to(holds, shape)
        first, from_first, size = self._laid(op, a, holds, f"{y.name}.true")
        second, from_second, _ = self._laid(op, b, ~holds, f"{y.name}.false")
        source = np.where(holds, from_first, size + from_second)
        both = op.Concat(first, second, axis=0, _outputs=[f"{y.name}.both"])
        return op.Gather(both, initializer(op, source, f"{y.name}.source"), axis=0)

    def _laid(self, op, side: ir.Value, used: np.ndarray, name: str) -> tuple[ir.Value, np.ndarray, int]:
        """`side` on one axis, where on it lies the value for each place of the result, and how long it is."""
        if (tensor := ir.convenience.get_const_tensor(side)) is None:
            places = np.arange(np.prod(fixed_shape(side), dtype=int))
            flat = self.reshape(op, side, places.shape, f"{name}.flat")
            return flat, np.broadcast_to(places.reshape(fixed_shape(side)), used.shape), places.size
        array = np.broadcast_to(tensor.numpy(), used.shape)
        bits, places = np.unique(np.where(used, array, array.flat[0]).view(np.int32), return_inverse=True)
        return initializer(op, bits.view(np.float32), f"{name}.values"), places.reshape(used.shape), bits.size
