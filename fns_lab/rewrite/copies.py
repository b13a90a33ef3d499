"""Values flattened to one axis, from which a Gather copies by constant or computed positions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, name_of
from fns_lab.rewrite.rule import Refusal, RewriterContext, Rule, initializer


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


def constant_indices(value: ir.Value | None) -> np.ndarray:
    """Return constant indices, also where an Unsqueeze too large to be folded stands behind them.

    Raises `NodeError` if they are computed.
    """
    node = None if value is None else value.producer()
    if node is None or node.op_type != "Unsqueeze":
        return constant_array(value)
    return constant_array(node.inputs[0]).reshape(fixed_shape(value))


def raise_unless_copied(*values: ir.Value) -> None:
    """Raise `NodeError` unless all values are of fixed shapes with elements, as `copied` needs them."""
    for value in values:
        if 0 in fixed_shape(value):
            raise Refusal(f"{value.name} has no elements")


def copied(
    rule: Rule, op: RewriterContext, values: Sequence[ir.Value], source: np.ndarray, y: ir.Value, name: str = ""
) -> ir.Value:
    """Return the elements at the positions `source` of the values, flattened and joined; of the shape of `source`.

    The result takes the place of `y` unless `name` is given.
    """
    name = name or name_of(y)
    flat = [
        value if len(fixed_shape(value)) == 1 else rule.reshape(op, value, (-1,), f"{name}.flat{i}")
        for i, value in enumerate(values)
    ]
    joined = flat[0] if len(flat) == 1 else op.Concat(*flat, axis=0, _outputs=[f"{name}.joined"])
    if source.ndim:
        return op.Gather(joined, initializer(op, source, f"{name}.source"), axis=0, _outputs=[name])
    # The engine on webgl takes no index without axes.
    picked = op.Gather(joined, initializer(op, source.reshape(1), f"{name}.source"), axis=0)
    picked.name = f"{name}.picked"
    return rule.reshape(op, picked, (), name)
