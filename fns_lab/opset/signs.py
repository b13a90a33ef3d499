"""What is known of the signs of numbers, such as those of computed indices."""

from __future__ import annotations

import onnx_ir as ir

NEVER_NEGATIVE = frozenset({"Abs", "ArgMax", "ArgMin", "NonZero", "Relu", "Shape", "Sigmoid", "Size", "Softmax"})
"""Ops whose results are 0 or more, whatever their inputs."""
KEEP_THE_SIGN_OF_THE_FIRST = frozenset({
    "Cast", "Expand", "Flatten", "Floor", "Gather", "Identity", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceSum",
    "Reshape", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze",
})  # fmt: skip
"""Ops whose results are 0 or more if those of their first input are."""
KEEP_THE_SIGN_OF_ALL = frozenset({"Add", "Concat", "Max", "Min", "Mul", "Sum"})
"""Ops whose results are 0 or more if those of all inputs are."""
UNSIGNED = frozenset({
    ir.DataType.BOOL, ir.DataType.UINT8, ir.DataType.UINT16, ir.DataType.UINT32, ir.DataType.UINT64
})  # fmt: skip
"""Element types whose values are never negative."""


def never_negative(value: ir.Value) -> bool:
    """Return whether a value is known to hold no number below 0. NaN and overflow are left out of account."""
    waiting: list[ir.Value | None] = [value]
    seen: set[ir.Value | None] = set()
    while waiting:
        each = waiting.pop()
        if each in seen:
            continue
        seen.add(each)
        sources = _sources(each)
        if sources is None:
            return False
        waiting += sources
    return True


def _sources(value: ir.Value | None) -> list[ir.Value | None] | None:
    """Return the values that must hold no number below 0 for this one to hold none, None if it may anyway."""
    if value is None:
        return None
    if (tensor := ir.convenience.get_const_tensor(value)) is not None:
        return [] if bool((tensor.numpy() >= 0).all()) else None
    node = value.producer()
    if value.dtype in UNSIGNED or (node is not None and node.op_type in NEVER_NEGATIVE):
        return []
    if node is None or node.op_type not in KEEP_THE_SIGN_OF_THE_FIRST | KEEP_THE_SIGN_OF_ALL:
        return None
    return list(node.inputs[:1] if node.op_type in KEEP_THE_SIGN_OF_THE_FIRST else node.inputs)
