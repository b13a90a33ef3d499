"""Ops as parts of a pair: one float input, everything else fixed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

Shape = tuple[int, ...]

SEED = 0


@dataclass(frozen=True)
class Part:
    """An op with all inputs after the first, and its attributes, made for the shape of the first.

    `make` returns (constants, attributes), or None for a shape that the op does not take.
    """

    op: str
    make: Callable[[Shape], tuple[list[np.ndarray], dict] | None] = field(repr=False)


def values(*shape: int) -> np.ndarray:
    """Seeded float32 in 0.1..2.5: roots and logarithms are defined, rounding leaves three numbers."""
    return np.random.default_rng(SEED).uniform(0.1, 2.5, shape).astype(np.float32)


def weights(*shape: int, fan_in: int) -> np.ndarray:
    """Positive, and so small that a product of `fan_in` terms stays where Sigmoid and Tanh still tell values apart."""
    return values(*shape) / np.float32(2 * fan_in)


def _plain(**attributes) -> Callable:
    return lambda shape: ([], attributes)


def _last_axes(**attributes) -> Callable:
    """Along the last axis, attributes aside."""
    return lambda shape: ([], attributes | {"axes": [len(shape) - 1]})


def _with(constant: Callable[[Shape], np.ndarray], **attributes) -> Callable:
    return lambda shape: ([constant(shape)], attributes)


def _image(make: Callable[[int], tuple[list[np.ndarray], dict]]) -> Callable:
    """For `(N, C, H, W)` only; `make` is given C. No side may be too small for a 3x3 window."""
    return lambda shape: make(shape[1]) if len(shape) == 4 and min(shape[2:]) >= 3 else None


def _mirrored(shape: Shape) -> np.ndarray:
    """Other numbers than x has in the same places."""
    return values(*shape)[..., ::-1].copy()


def _slopes(shape: Shape) -> np.ndarray:
    return values(*(shape[1] if i == 1 else 1 for i in range(len(shape)))) if len(shape) > 1 else values(1)


def _permuted(shape: Shape) -> tuple[list, dict]:
    return [], {"perm": [*range(len(shape))][::-1]}


def _sliced(shape: Shape) -> tuple[list, dict] | None:
    return ([], {"axes": [len(shape) - 1], "starts": [1], "ends": [shape[-1]]}) if shape[-1] > 1 else None


def _split(shape: Shape) -> tuple[list, dict] | None:
    half = shape[-1] // 2
    return ([], {"axis": len(shape) - 1, "split": [half, shape[-1] - half]}) if half else None


def _squeezed(shape: Shape) -> tuple[list, dict] | None:
    return ([], {"axes": [shape.index(1)]}) if 1 in shape and len(shape) > 1 else None


def _padded(shape: Shape) -> tuple[list, dict] | None:
    pads = [0] * (len(shape) - 1) + [1]
    return ([], {"mode": "reflect", "pads": pads * 2}) if shape[-1] > 1 else None


def _upsampled(c: int) -> tuple[list, dict]:
    return [], {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 2.0]}


def _gathered(shape: Shape) -> tuple[list, dict]:
    return [np.arange(shape[-1])[::-1].copy()], {"axis": len(shape) - 1}


def _gemm(shape: Shape) -> tuple[list, dict] | None:
    return ([weights(shape[1], 5, fan_in=shape[1]), values(5)], {}) if len(shape) == 2 else None


def _depth_to_space(shape: Shape) -> tuple[list, dict] | None:
    return ([], {"blocksize": 2}) if len(shape) == 4 and shape[1] % 4 == 0 else None


WINDOW = {"kernel_shape": [3, 3], "strides": [1, 2]}

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
    *(Part(op, _with(_slopes)) for op in ("Mul", "Div")),  # one number a channel, spread over the image
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
    Part("Conv", _image(lambda c: ([weights(5, c, 3, 3, fan_in=9 * c), values(5)], {**WINDOW, "pads": [1] * 4}))),
    Part("ConvTranspose", _image(lambda c: ([weights(c, 5, 3, 3, fan_in=9 * c)], {**WINDOW}))),
    Part("MaxPool", _image(lambda c: ([], WINDOW))),
    Part("AveragePool", _image(lambda c: ([], WINDOW))),
    Part("GlobalAveragePool", _image(lambda c: ([], {}))),
    Part("GlobalMaxPool", _image(lambda c: ([], {}))),
    Part("BatchNormalization", _image(lambda c: ([values(c) for _ in range(4)], {}))),
    Part("InstanceNormalization", _image(lambda c: ([values(c), values(c)], {}))),
    Part("LRN", _image(lambda c: ([], {"size": 3}))),
)
"""Ops with one float input that matters and one float output, as written at opset 7. Not Tan: near its pole a rounding
in one op is a wrong result in the next."""

if len({part.op for part in PARTS}) != len(PARTS):
    raise ValueError("two parts share an op")
