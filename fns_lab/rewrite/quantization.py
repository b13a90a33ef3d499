"""What the rules for quantized ops share: small integers held in float32, and the Casts between the two.

Each rule writes a Cast to the integer type behind the numbers that it computes in float32, and a Cast to float32 before
those that it reads, so that every value keeps its type and all other nodes stay valid. These Casts change no number:
`cast-later` moves them behind nodes that only move elements, and `cast-removed` removes two that meet.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from fns_lab.opset.nodes import constant_array, fixed_shape, from_the_front, producer
from fns_lab.rewrite.rule import Refusal, RewriterContext, Rule, initializer, type_name

F32 = np.float32
"""NumPy's float32."""
EXACT_INTEGERS = 2**24
"""All integers up to this are float32 values."""
TO_INTEGER = 1.5 * 2**23
"""Added to a float32 v with |v| < 2^22 and subtracted again, it rounds v to an integer, half to even: float32 values
between 2^23 and 2^24 are the integers."""
ROUND_SINCE = 11
"""The first opset that has Round."""
QUANTIZED = frozenset({
    ir.DataType.INT4, ir.DataType.UINT4, ir.DataType.INT8, ir.DataType.UINT8, ir.DataType.INT16, ir.DataType.UINT16,
})  # fmt: skip
"""Element types of quantized values."""
LOSSLESS = "lossless"
"""Key in the `meta` of a Cast from float32 whose input holds integers of the new type only."""


def limits(dtype: ir.DataType | None) -> tuple[int, int]:
    """Return the smallest and the largest integer of a type. Raises `Refusal` if it is none of `QUANTIZED`."""
    if dtype not in QUANTIZED:
        raise Refusal(f"{'an unknown type' if dtype is None else type_name(dtype)} is no integer of 4 to 16 bits")
    bits = dtype.bitwidth
    return (0, 2**bits - 1) if dtype.name.startswith("U") else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)


def integers(value: ir.Value | None) -> np.ndarray:
    """Return the array of a constant zero point, 0 if it is left out. Raises `NodeError` if it is computed."""
    return np.array(0) if value is None else constant_array(value).astype(np.int64)


def along(array: np.ndarray, node: ir.Node, x: ir.Value) -> np.ndarray:
    """Return a scale or zero point so that it broadcasts with `x`: one for all, one per index of `axis`, or per block.

    Raises `NodeError` if the sizes are not fixed or do not fit.
    """
    if array.ndim < 2 and array.size == 1:
        return array.reshape(())
    shape = fixed_shape(x)
    axis = from_the_front(node.attributes.get_int("axis", 1), len(shape))
    if array.ndim == 1:
        return array.reshape([-1 if i == axis else 1 for i in range(len(shape))])
    if not (block := node.attributes.get_int("block_size", 0)) or array.ndim != len(shape):
        raise Refusal(f"the scale has the shape {array.shape}; one number, an axis or blocks are needed")
    return np.repeat(array, block, axis).take(range(shape[axis]), axis)


def constant(op: RewriterContext, like: ir.Value, array: np.ndarray, name: str) -> ir.Value:
    """Add a float32 initializer; a single number gets one axis unless `like` has none."""
    single = (1,) if like.shape is None or len(like.shape) else ()
    return initializer(op, (array.reshape(single) if array.size == 1 else array).astype(F32), name)


def centred(op: RewriterContext, x: ir.Value, zero_point: np.ndarray, name: str) -> ir.Value:
    """Return `x` minus a zero point, in float32."""
    if (tensor := ir.convenience.get_const_tensor(x)) is not None:
        return initializer(op, (tensor.numpy().astype(np.int64) - zero_point).astype(F32), name)
    if not zero_point.any():
        return op.Cast(x, to=ir.DataType.FLOAT.value, _outputs=[name])
    floats = op.Cast(x, to=ir.DataType.FLOAT.value, _outputs=[f"{name}.float"])
    return op.Sub(floats, constant(op, x, zero_point, f"{name}.zero_point"), _outputs=[name])


def to_integers(op: RewriterContext, v: ir.Value, dtype: ir.DataType, name: str) -> ir.Value:
    """Return a Cast of a float32 value that holds only integers of this type."""
    cast = op.Cast(v, to=dtype.value, _outputs=[name])
    producer(cast).meta[LOSSLESS] = True
    return cast


def rounded(rule: Rule, op: RewriterContext, v: ir.Value, like: ir.Value, name: str) -> ir.Value:
    """Return `v` rounded to integers, half to even, where |v| < 2^22; beyond, a number within 1 of it.

    A target that has Round need not have sums that round: OpenVINO takes (v + c) - c for v.
    """
    if rule.opset >= ROUND_SINCE and rule.target.takes("Round", rule.opset):
        return op.Round(v, _outputs=[name])
    shift = constant(op, like, np.array(TO_INTEGER), f"{name}.shift")
    return op.Sub(op.Add(v, shift, _outputs=[f"{name}.shifted"]), shift, _outputs=[name])


def limited(rule: Rule, op: RewriterContext, v: ir.Value, low: int, high: int, name: str) -> ir.Value:
    """Return a Clip of a float32 value. It stands behind the rounding, since a Clip may be written as sums too."""
    v.type = ir.TensorType(ir.DataType.FLOAT)
    return rule.clip(op, v, low, high, name)


def saturated(rule: Rule, op: RewriterContext, v: ir.Value, zero_point: np.ndarray, y: ir.Value) -> ir.Value:
    """Return float32 `v` rounded, plus a zero point, limited to the range of the type of `y`, and in this type."""
    whole = rounded(rule, op, v, y, f"{y.name}.rounded")
    if zero_point.any():
        whole = op.Add(whole, constant(op, y, zero_point, f"{y.name}.zero_point"), _outputs=[f"{y.name}.moved"])
    kept = limited(rule, op, whole, *limits(y.dtype), f"{y.name}.kept")
    return to_integers(op, kept, ir.DataType(y.dtype or 0), f"{y.name}")


def largest(dtype: ir.DataType | None, zero_point: np.ndarray | None) -> int:
    """Return the largest absolute value of an integer of a type minus a zero point; None is any of that type."""
    low, high = limits(dtype)
    if zero_point is None:
        return high - low
    return int(max(np.abs(low - zero_point).max(), np.abs(high - zero_point).max()))
