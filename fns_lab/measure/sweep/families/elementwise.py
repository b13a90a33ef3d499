"""Ops that compute each element of the output from one element of each input."""

from __future__ import annotations

import numpy as np
from onnx import helper

from fns_lab.measure.sweep.axes import (
    BATCH,
    CHANNELS,
    FLOAT_VALUES,
    IMAGES,
    INPUTS,
    NONE_OR_ALL,
    SIZES,
    TYPES,
    types_of,
)
from fns_lab.measure.sweep.draw import Draw, Family, Inputs
from fns_lab.measure.sweep.pairwise import Axes

RANKS = (4, 3, 2, 1, 5, 6, 0)
DOMAINS = {
    "Acos": (-1.0, 1.0),
    "Acosh": (1.0, 5.0),
    "Asin": (-1.0, 1.0),
    "Atanh": (-0.95, 0.95),
    "Log": (0.01, 5.0),
    "Sqrt": (0.0, 5.0),
    "Tan": (-1.2, 1.2),
}
"""Where the others are not defined: low and high of their inputs."""

UNARY = (
    "Abs", "Acos", "Acosh", "Asin", "Asinh", "Atan", "Atanh", "BitwiseNot", "Ceil", "Celu", "Cos", "Cosh", "Elu", "Erf",
    "Exp", "Floor", "Gelu", "HardSigmoid", "HardSwish", "Identity", "IsInf", "IsNaN", "LeakyRelu", "Log", "Mish", "Neg",
    "Not", "Reciprocal", "Relu", "Round", "Selu", "Shrink", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign",
    "Sqrt", "Swish", "Tan", "Tanh", "ThresholdedRelu",
)  # fmt: skip
BINARY = (
    "Add", "And", "BitShift", "BitwiseAnd", "BitwiseOr", "BitwiseXor", "Div", "Equal", "Greater", "GreaterOrEqual",
    "Less", "LessOrEqual", "Mod", "Mul", "Or", "PRelu", "Pow", "Sub", "Xor",
)  # fmt: skip
COMPARISONS = ("Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual")
VARIADIC = ("Max", "Mean", "Min", "Sum")
BROADCAST_SINCE = 8
"""Opset from which these broadcast."""
BROADCAST = (
    "same",
    "scalar",
    "one",
    "channel",
    "last",
    "lower",
    "batch",
    "mutual",
    "from scalar",
    "from channel",
    "from lower",
)
"""Kinds of second shape; with `from`, the first input has it and the second the whole."""


def _unary_axes(op: str) -> Axes:
    values = {"values": (*FLOAT_VALUES, "large")} if "float32" in types_of(op) else {}
    return {"rank": RANKS, **IMAGES, **values}


def _unary(draw: Draw) -> Inputs:
    # a difference below 0 is no unsigned integer
    draw.require(draw.op != "Shrink" or draw.dtype.kind != "u" or not draw.attributes.get("bias"))
    return [draw.data(draw.image(), *DOMAINS.get(draw.op, (-4.0, 4.0)))]


def _binary_axes(op: str) -> Axes:
    values = {"values": (*FLOAT_VALUES, "negative")} if "float32" in types_of(op) else {}
    shifts = {"way": ("LEFT", "RIGHT")} if op == "BitShift" else {}
    return {"rank": RANKS, **IMAGES, "broadcast": BROADCAST, **shifts, **values}


def _binary(draw: Draw) -> Inputs:
    first, second = broadcast(draw)
    if draw.op == "BitShift":
        draw.set("direction", draw["way"])
    draw.require(draw.op != "PRelu" or np.broadcast_shapes(first, second) == first)
    if draw.op == "Mod" and draw.dtype.kind == "f":
        draw.require(draw.attributes.get("fmod") == 1)
    a, b = draw.data(first, *_range(draw, 0)), draw.data(second, *_range(draw, 1))
    if draw["broadcast"] != "same" and draw.op in COMPARISONS:
        b = b.astype(a.dtype)
    if draw.op == "Pow" and a.dtype.kind in "iu":  # 0 to the power of -1 is no integer
        a = _without_zeros(a)
    return [a, _without_zeros(b) if draw.op in ("Div", "Mod") and b.dtype.kind in "iu" else b]


def _range(draw: Draw, index: int) -> tuple[float, float]:
    if draw.op == "Pow" and draw.get("values") != "negative":
        return ((0.1, 3.0), (-2.0, 3.0) if draw.dtype.kind == "f" else (0, 3))[index]
    return (-3.0, 3.0)


def _without_zeros(x: np.ndarray) -> np.ndarray:
    return np.where(x == 0, np.ones_like(x), x)


def broadcast(draw: Draw) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the shapes of two inputs that broadcast as the axis of that name says."""
    whole, kind = draw.image(), str(draw["broadcast"])
    part = _part(draw, whole, kind.removeprefix("from "))
    if kind == "mutual":
        return tuple(1 if i % 2 else size for i, size in enumerate(whole)), part
    return (part, whole) if kind.startswith("from ") else (whole, part)


def _part(draw: Draw, whole: tuple[int, ...], kind: str) -> tuple[int, ...]:
    rank = len(whole)
    draw.require(rank >= {"channel": 2, "batch": 2, "mutual": 2, "last": 2, "lower": 2}.get(kind, 0))
    return {
        "same": whole,
        "scalar": (),
        "one": (1,),
        "channel": (*whole[1:2], *[1] * (rank - 2)),
        "last": whole[-1:],
        "lower": whole[1:],
        "batch": (*whole[:1], *[1] * (rank - 1)),
        "mutual": tuple(size if i % 2 else 1 for i, size in enumerate(whole)),
    }[kind]


def _variadic_axes(op: str) -> Axes:
    return {**_binary_axes(op), "inputs": INPUTS}


def _variadic(draw: Draw) -> Inputs:
    first, second = broadcast(draw)
    draw.require(draw["broadcast"] == "same" or (draw["inputs"] > 1 and draw.opset >= BROADCAST_SINCE))
    return [draw.data(second if index % 2 else first) for index in range(draw["inputs"])]


def _where_axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "broadcast": BROADCAST,
        "condition": ("whole", "one", "part"), "values": FLOAT_VALUES,
    }  # fmt: skip


def _where(draw: Draw) -> Inputs:
    first, second = broadcast(draw)
    condition = {"whole": np.broadcast_shapes(first, second), "one": (1,), "part": second}[draw["condition"]]
    return [draw.array(condition, dtype=bool), draw.data(first), draw.data(second)]


def _clip_axes(op: str) -> Axes:
    return {
        "rank": RANKS, **IMAGES, "values": FLOAT_VALUES,
        "limits": ("both", "low", "high", "neither", "equal"),
    }  # fmt: skip


def _clip(draw: Draw) -> Inputs:
    low, high = {"both": (-1, 1), "low": (-1, None), "high": (None, 1), "neither": (None, None), "equal": (1, 1)}[
        draw["limits"]
    ]
    x = draw.data(draw.image(), -4, 4)
    if "min" in draw.schema.attributes:
        draw.require(draw.dtype.kind == "f")
        draw.attributes |= {name: float(value) for name, value in (("min", low), ("max", high)) if value is not None}
        return [x]
    draw.require(draw.dtype.kind != "u" or low != -1)
    limits = [None if value is None else np.array(value, draw.dtype) for value in (low, high)]
    return [x, *limits] if high is not None else [x, *limits[:1]] if low is not None else [x]


def _cast_axes(op: str) -> Axes:
    return {
        "rank": RANKS,
        **IMAGES,
        "to": TYPES,
        "values": ("plain", "zeros", "infinite", "nan"),
    }


def _cast(draw: Draw) -> Inputs:
    to = np.dtype(draw["to"])
    draw.require(to.kind in "fb" or draw["values"] in ("plain", "zeros"))
    draw.set("to", helper.np_dtype_to_tensor_dtype(to))
    return [draw.data(draw.image(), 0 if to.kind == "u" else -100, 100)]


def _dropout(draw: Draw) -> Inputs:
    x = draw.data(draw.image())
    draw.outputs = draw["outputs"]
    draw.require(draw["training"] is None or len(draw.schema.inputs) > 2)
    if draw["ratio"] is not None and "ratio" in draw.schema.attributes:
        draw.set("ratio", draw["ratio"])
        return [x]
    ratio = None if draw["ratio"] is None else np.array(draw["ratio"], np.float32)
    return [x, ratio] if draw["training"] is None else [x, ratio, np.array(draw["training"])]


FAMILIES = (
    Family(UNARY, _unary_axes, _unary, elementwise=True, constants=NONE_OR_ALL),
    Family(BINARY, _binary_axes, _binary, frozenset({"axis", "broadcast", "direction"}), elementwise=True),
    Family(VARIADIC, _variadic_axes, _variadic, elementwise=True),
    Family(("Where",), _where_axes, _where, elementwise=True),
    Family(("Clip",), _clip_axes, _clip, elementwise=True),
    Family(("Cast",), _cast_axes, _cast, elementwise=True, constants=NONE_OR_ALL),
    Family(
        ("Dropout",),
        lambda op: {
            "rank": RANKS,
            "batch": BATCH,
            "channels": CHANNELS,
            "size": SIZES,
            "ratio": (None, 0.0, 0.5),
            "training": (None, False),
            "outputs": (1, 2),
        },
        _dropout,
        elementwise=True,
    ),
)
