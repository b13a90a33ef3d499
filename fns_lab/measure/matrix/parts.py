"""Ops as parts of a pair: one float input, all other inputs and attributes fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Shape = tuple[int, ...]
"""Size of each axis."""
Arguments = tuple[list[np.ndarray], dict[str, Any]]
"""The inputs of an op after the first, and its attributes."""
Make = Callable[[Shape], Arguments | None]
"""Makes the arguments of an op for an input of this shape; None if it does not take it."""

SEED = 0
"""Of the numbers in inputs and weights."""


@dataclass(frozen=True)
class Part:
    """An op, and what makes its `Arguments` for the shape of its first input; None for a shape it does not take."""

    op: str
    make: Make = field(repr=False)


def values(*shape: int) -> np.ndarray:
    """Return seeded float32 in 0.1..2.5, where roots and logarithms are defined and rounding leaves three values."""
    return np.random.default_rng(SEED).uniform(0.1, 2.5, shape).astype(np.float32)


def weights(*shape: int, fan_in: int) -> np.ndarray:
    """Return positive weights, so small that a sum of `fan_in` products stays where Sigmoid and Tanh are not flat."""
    return values(*shape) / np.float32(2 * fan_in)


def _plain(**attributes: Any) -> Make:
    return lambda shape: ([], attributes)


def _last_axes(**attributes: Any) -> Make:
    return lambda shape: ([], attributes | {"axes": [len(shape) - 1]})


def _with(constant: Callable[[Shape], np.ndarray]) -> Make:
    return lambda shape: ([constant(shape)], {})


def _image(make: Callable[[int, int], Arguments]) -> Make:
    """Take `(N, C, ...)` of one to three sizes of at least 3; `make` is given C and how many sizes follow it."""
    return lambda shape: make(shape[1], len(shape) - 2) if len(shape) in (3, 4, 5) and min(shape[2:]) >= 3 else None


def _mirrored(shape: Shape) -> np.ndarray:
    """Return other values than x has in the same places."""
    return values(*shape)[..., ::-1].copy()


def _slopes(shape: Shape) -> np.ndarray:
    return values(*(shape[1] if i == 1 else 1 for i in range(len(shape)))) if len(shape) > 1 else values(1)


def _permuted(shape: Shape) -> Arguments:
    return [], {"perm": [*range(len(shape))][::-1]}


def _sliced(shape: Shape) -> Arguments | None:
    return ([], {"axes": [len(shape) - 1], "starts": [1], "ends": [shape[-1]]}) if shape[-1] > 1 else None


def _split(shape: Shape) -> Arguments | None:
    half = shape[-1] // 2
    return ([], {"axis": len(shape) - 1, "split": [half, shape[-1] - half]}) if half else None


def _squeezed(shape: Shape) -> Arguments | None:
    return ([], {"axes": [shape.index(1)]}) if 1 in shape and len(shape) > 1 else None


def _padded(shape: Shape) -> Arguments | None:
    pads = [0] * (len(shape) - 1) + [1]
    return ([], {"mode": "reflect", "pads": pads * 2}) if shape[-1] > 1 else None


def _upsampled(c: int, sizes: int) -> Arguments:
    return [], {"mode": "nearest", "scales": [1.0, 1.0] + [2.0] * sizes}


def _gathered(shape: Shape) -> Arguments:
    return [np.arange(shape[-1])[::-1].copy()], {"axis": len(shape) - 1}


def _gemm(shape: Shape) -> Arguments | None:
    return ([weights(shape[1], 5, fan_in=shape[1]), values(5)], {}) if len(shape) == 2 else None


def _depth_to_space(shape: Shape) -> Arguments | None:
    return ([], {"blocksize": 2}) if len(shape) == 4 and shape[1] % 4 == 0 else None


def _window(sizes: int) -> dict[str, Any]:
    return {"kernel_shape": [3] * sizes, "strides": [1, 2, 1][:sizes]}


def _convolved(c: int, sizes: int) -> Arguments:
    return [weights(5, c, *[3] * sizes, fan_in=3**sizes * c), values(5)], {**_window(sizes), "pads": [1] * 2 * sizes}


def _transposed(c: int, sizes: int) -> Arguments:
    return [weights(c, 5, *[3] * sizes, fan_in=3**sizes * c)], _window(sizes)


PARTS: tuple[Part, ...] = (
    *(
        Part(op, _plain())
        for op in (
            "Abs",
            "Atan",
            "Ceil",
            "Cos",
            "Exp",
            "Floor",
            "Identity",
            "Log",
            "Neg",
            "Reciprocal",
            "Relu",
            "Sigmoid",
            "Sin",
            "Sqrt",
            "Tanh",
        )
    ),
    Part("Clip", _plain(min=0.5, max=2.0)),
    Part("Elu", _plain(alpha=0.5)),
    Part("LeakyRelu", _plain(alpha=0.1)),
    Part("Softmax", lambda shape: ([], {"axis": len(shape) - 1})),
    *(Part(op, _with(_mirrored)) for op in ("Add", "Sub", "Sum")),
    *(Part(op, _with(_slopes)) for op in ("Mul", "Div")),  # one value per channel, broadcast over the image
    Part("Pow", _with(lambda shape: np.full((1,), 2, np.float32))),
    Part("PRelu", _with(_slopes)),
    Part("MatMul", _with(lambda shape: weights(shape[-1], 5, fan_in=shape[-1]))),
    Part("Gemm", _gemm),
    *(
        Part(op, _last_axes(keepdims=1))
        for op in ("ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum")
    ),
    Part("Reshape", lambda shape: ([np.array([*shape[:-2], shape[-1], shape[-2]])], {}) if len(shape) > 1 else None),
    Part("Flatten", _plain(axis=1)),
    Part("Squeeze", _squeezed),
    Part("Unsqueeze", _plain(axes=[0])),
    Part("Transpose", _permuted),
    Part("Concat", lambda shape: ([values(*shape)], {"axis": len(shape) - 1})),
    Part("Split", _split),
    Part("Slice", _sliced),
    Part("Gather", _gathered),
    Part("Tile", lambda shape: ([np.array([1] * (len(shape) - 1) + [2])], {})),
    Part("Pad", _padded),
    Part("Upsample", _image(_upsampled)),
    Part("DepthToSpace", _depth_to_space),
    Part("Conv", _image(_convolved)),
    Part("ConvTranspose", _image(_transposed)),
    Part("MaxPool", _image(lambda c, sizes: ([], _window(sizes)))),
    Part("AveragePool", _image(lambda c, sizes: ([], _window(sizes)))),
    Part("GlobalAveragePool", _image(lambda c, sizes: ([], {}))),
    Part("GlobalMaxPool", _image(lambda c, sizes: ([], {}))),
    Part("BatchNormalization", _image(lambda c, sizes: ([values(c) for _ in range(4)], {}))),
    Part("InstanceNormalization", _image(lambda c, sizes: ([values(c), values(c)], {}))),
    Part("LRN", _image(lambda c, sizes: ([], {"size": 3}))),
)
"""Ops of one float input and one float output, written for opset 7. Not Tan: near its pole the rounding of one op is a
wrong result of the next."""

if len({part.op for part in PARTS}) != len(PARTS):
    raise ValueError("two parts share an op")
