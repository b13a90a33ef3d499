"""Values flattened to one axis, from which a Gather copies by constant or computed positions."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import fixed_shape
from fns_lab.rewrite.rule import RewriterContext, Rule, initializer


class Flat(NamedTuple):
    """A value on one axis.

    - `value`: the value, of one axis
    - `positions`: where each element of the value, broadcast to a shape, stands on that axis
    - `size`: the size of the axis
    """

    value: ir.Value
    positions: np.ndarray
    size: int


def flattened(rule: Rule, op: RewriterContext, value: ir.Value, used: np.ndarray, name: str) -> Flat:
    """Return a value of fixed shape on one axis, with positions for the shape of `used`.

    Of a constant only the elements that are `used`, and the first, are kept, each once.
    """
    if (tensor := ir.convenience.get_const_tensor(value)) is None:
        indices = np.arange(np.prod(fixed_shape(value), dtype=int))
        flat = rule.reshape(op, value, indices.shape, f"{name}.flat")
        return Flat(flat, np.broadcast_to(indices.reshape(fixed_shape(value)), used.shape), indices.size)
    array = np.broadcast_to(tensor.numpy(), used.shape)
    bits = np.where(used, array, array.flat[0]).view(f"u{array.itemsize}")  # a NaN equals itself
    kept, indices = np.unique(bits, return_inverse=True)
    return Flat(initializer(op, kept.view(array.dtype), f"{name}.values"), indices.reshape(used.shape), kept.size)
