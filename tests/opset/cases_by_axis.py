"""Generated nodes with axes, sizes and limits: shapes of one to five axes, counted from the front and from the end."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np

from tests.opset.generated import (
    F32,
    INT64_MAX,
    SHAPES,
    Case,
    Constant,
    by_shape_and_axis,
    floats,
    ints,
    numbers,
    scalar,
)


def cases() -> Iterator[Case]:
    for family in (_axes, _along_one_axis, _split, _slice_and_pad, _clip):
        yield from family()


def _axes() -> Iterator[Case]:
    """Unsqueeze, Squeeze and the reductions."""
    for shape in SHAPES:
        rank = len(shape)
        for axes in ([0], [-1], [rank], [0, -1], [-2, 1], [-rank - 1]):
            yield Case("Unsqueeze", [numbers(*shape)], attributes={"axes": axes})
            yield Case("Unsqueeze", [numbers(*shape), ints(*axes)])
    for shape, axes in (((1, 3, 1), [0]), ((1, 3, 1), [-1]), ((2, 1, 3, 1, 2), [-2, 1]), ((1, 1), [-1, 0])):
        yield Case("Squeeze", [numbers(*shape)], attributes={"axes": axes})
        yield Case("Squeeze", [numbers(*shape), ints(*axes)])
    for shape in ((1, 3, 1), (2, 3), (1,), (1, 1, 1), (2, 1, 3, 1, 2)):
        yield Case("Squeeze", [numbers(*shape)])
    kinds = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    for kind, shape, keep in itertools.product(kinds, ((4,), (2, 3, 4), (2, 1, 3, 1, 2)), (0, None)):
        rank, attributes = len(shape), {} if keep is None else {"keepdims": keep}
        for axes in ([0], [-1], [0, -1] if rank > 1 else [0]):
            x = numbers(*shape, low=0.1)
            yield Case(f"Reduce{kind}", [x], attributes=attributes | {"axes": axes})
            yield Case(f"Reduce{kind}", [x, ints(*axes)], attributes=attributes)
        for noop in ({}, {"noop_with_empty_axes": 1}, {"noop_with_empty_axes": 0}):
            yield Case(f"Reduce{kind}", [x], attributes=attributes | noop)
            yield Case(f"Reduce{kind}", [x, None], attributes=attributes | noop)
            yield Case(f"Reduce{kind}", [x, Constant(np.zeros(0, np.int64))], attributes=attributes | noop)
        yield Case(f"Reduce{kind}", [x, ints(-1)], attributes=attributes | {"noop_with_empty_axes": 1})
        yield Case(f"Reduce{kind}", [x, np.array([0])], attributes=attributes)
    for dtype in (np.float64, np.int32, np.int64, np.uint8, np.float16, np.bool_):
        yield Case("ReduceMax", [numbers(2, 3, dtype=dtype, low=0), ints(-1)])
        yield Case("ReduceSum", [numbers(2, 3, dtype=dtype, low=0), ints(-1)])


def _along_one_axis() -> Iterator[Case]:
    for shape, axis in by_shape_and_axis():
        x, attributes = numbers(*shape), {"axis": axis}
        for op in ("Softmax", "LogSoftmax", "Hardmax", "Flatten", "ArgMax", "ArgMin", "LpNormalization"):
            yield Case(op, [x], attributes=attributes)
        yield Case("ArgMax", [np.round(x)], attributes={**attributes, "select_last_index": 1, "keepdims": 0})
        yield Case("Concat", [x, x + 1], attributes=attributes)
        yield Case("TopK", [x, ints(1)], ("y", "z"), attributes)
        yield Case("TopK", [x, ints(1)], ("y", "z"), attributes={**attributes, "largest": 0})
        yield Case("Split", [x], ("y",), attributes)
        yield Case("Gather", [x, ints(0, -1)], attributes=attributes)
        yield Case("Gather", [x, scalar(-1, np.int32)], attributes=attributes)
        yield Case("Gather", [x, np.array([[0, 0]])], attributes=attributes)
        for op in ("GatherElements", "ScatterElements"):
            updates = [x[..., :1] + 9] if op == "ScatterElements" else []
            yield Case(op, [x, np.zeros_like(x[..., :1], np.int64), *updates], attributes=attributes)
        yield Case("Scatter", [x, Constant(np.zeros_like(x, np.int64)), x + 9], attributes=attributes)
        yield Case("Compress", [x, Constant(np.array([True]))], attributes=attributes)
        yield Case("CumSum", [x, scalar(axis, np.int64)])
        yield Case("CumSum", [x, scalar(axis, np.int64)], attributes={"reverse": 1, "exclusive": 1})
    for shape, op in itertools.product(SHAPES, ("Softmax", "LogSoftmax", "Hardmax", "Flatten", "ArgMax", "TopK")):
        yield Case(op, [numbers(*shape), *([ints(2)] if op == "TopK" else [])], ("y", "z") if op == "TopK" else ("y",))
    for shape, axis in by_shape_and_axis(((2,), (2, 3)), beyond=1):
        for low in (0, -2):
            indices = numbers(*shape, dtype=np.int64, low=low, high=4)
            for given in (indices, Constant(indices)):
                yield Case("OneHot", [given, ints(4), floats(-1, 2)], attributes={"axis": axis})
    yield Case("OneHot", [Constant(np.array([3, 0])), ints(4), floats(0, 1)])
    yield Case("Softmax", [numbers(2, 3, 1, 1)], attributes={"axis": 1})
    yield Case("Softmax", [numbers(2, 3, 1, 1)], attributes={"axis": -3})
    yield Case("Softmax", [np.array(2, F32)])
    yield Case("Flatten", [numbers(2, 3)], attributes={"axis": 2})
    yield Case("Flatten", [numbers(2, 3, 4)], attributes={"axis": -3})


def _split() -> Iterator[Case]:
    x = numbers(2, 6, 4)
    for axis in (1, -2):
        yield Case("Split", [x], ("a", "b", "c"), {"axis": axis})
        yield Case("Split", [x], ("a", "b", "c"), {"axis": axis, "split": [1, 2, 3]})
        yield Case("Split", [x, ints(1, 2, 3)], ("a", "b", "c"), {"axis": axis})
        yield Case("Split", [x, ints(1, 0, 5)], ("a", "b", "c"), {"axis": axis})
        yield Case("Split", [x, None], ("a", "b"), {"axis": axis, "num_outputs": 2})
        yield Case("Split", [x], ("a", "b", "c", "d"), {"axis": axis, "num_outputs": 4})
    for size, parts in ((5, 2), (7, 3), (7, 4), (4, 3), (5, 4)):
        yield Case("Split", [numbers(size, 2)], [f"y{i}" for i in range(parts)], {"num_outputs": parts})


def _slice_and_pad() -> Iterator[Case]:
    x = numbers(3, 4, 5)
    for starts, ends, *rest in (
        ([0, 1], [2, 3]),
        ([1], [INT64_MAX], [1]),
        ([-3], [-1], [-1]),
        ([-99, 0], [99, -1], [0, -2]),
        ([0], [-99], [2]),
        ([2, 0], [3, 9], [-1, 0], [1, 1]),
        ([0], [9], [-1], [2]),
        ([9], [-99], [1], [-1]),
        ([-1], [-INT64_MAX], [-1], [-2]),
    ):
        yield Case("Slice", [x, ints(*starts), ints(*ends), *(ints(*r) for r in rest)])
        yield Case("Slice", [x, *(ints(*np.clip(r, -99, 99), dtype=np.int32) for r in (starts, ends, *rest))])
        yield Case("Slice", [x, *(np.clip(r, -99, 99).astype(np.int64) for r in (starts, ends, *rest))])
    yield Case("Slice", [x, ints(1), ints(2), None, ints(1)])
    x = numbers(3, 4, 5)
    modes = ({}, {"mode": "constant"}, {"mode": "reflect"}, {"mode": "edge"}, {"mode": "wrap"})
    for attributes, pads in itertools.product(modes, ([1, 0, 2, 0, 1, 0], [0, -1, 1, -1, 0, 1])):
        yield Case("Pad", [x, ints(*pads)], attributes=attributes)
        yield Case("Pad", [x, ints(*pads), scalar(0.5)], attributes=attributes)
    for axes in ([0], [-1], [-1, 0]):
        pads = [1] * len(axes) + [2] * len(axes)
        yield Case("Pad", [x, ints(*pads), None, ints(*axes)])
        yield Case("Pad", [x, ints(*pads), scalar(7), ints(*axes, dtype=np.int32)])
    yield Case("Pad", [x, np.array([0, 1, 0, 0, 0, 1])])
    yield Case("Pad", [x, ints(0, 1, 0, 0, 0, 1), np.array(2, F32)])
    for dtype in (np.float64, np.float16, np.int64, np.int32, np.uint8):
        yield Case("Pad", [x.astype(dtype), ints(0, 1, 0, 0, 0, 1), scalar(0.1, dtype)])
    yield Case("Pad", [x.astype(np.float64), ints(0, 1, 0, 0, 0, 1), scalar(0.5, np.float64)])


def _clip() -> Iterator[Case]:
    x = np.array([-np.inf, -4, -0.5, 0, 2, 300, np.inf], F32)
    limits = (None, scalar(-1), scalar(1.5), scalar(-np.inf))
    yield Case("Clip", [x])
    for low, high in itertools.product(limits, limits):
        yield Case("Clip", [x, low, high])
    yield Case("Clip", [x, np.array(0, F32)])
    for limit in ([scalar(0, np.float64)], [None, scalar(0, np.float64)]):
        yield Case("Clip", [np.array([-1e300, 1e300]), *limit])
    for dtype in (np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8):
        for low, high in ((1, 2), (0.1, 2)):
            yield Case("Clip", [numbers(2, 3, dtype=dtype, low=0), scalar(low, dtype), scalar(high, dtype)])
    yield Case("Clip", [numbers(3, dtype=np.float64), scalar(-1e300, np.float64)])
