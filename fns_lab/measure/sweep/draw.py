"""One row of axes made into a node: its inputs, its attributes, and which inputs are constants."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx

from fns_lab.measure.sweep.axes import CONSTANTS, LEFT_OUT, attribute_axes, opsets, types_of
from fns_lab.measure.sweep.pairwise import Axes, Row
from fns_lab.opset.schemas import schema

MOST_ELEMENTS = 200_000
"""Elements of the largest tensor of a case; a larger one takes an engine long and shows nothing else."""
SPECIAL: dict[str, tuple[float, ...]] = {
    "zeros": (0.0, -0.0),
    "far": (1e3, -1e3, 1e9, -1e9, 1e30, -1e30, 100.0, -100.0),
    "denormal": (1e-40, -1e-40, 1e-38),
    "infinite": (math.inf, -math.inf),
    "nan": (math.nan,),
    "large": (80.0, -80.0, 90.0, -90.0, 300.0),
}
"""The elements that take turns in some places of a tensor, by the value of the axis `values`."""
FAR_INTEGERS = (2**24 + 1, -(2**24) - 3, 2**25 + 1, -(2**25) - 3, 7, -5)
"""The same for integers where the axis `values` says `far`: numbers that float32 does not hold, and small ones."""
PRODUCTS = frozenset({
    "CumProd", "Einsum", "Gemm", "MatMul", "Mul", "Pow", "ReduceL2", "ReduceProd", "ReduceSumSquare",
})  # fmt: skip
"""Ops whose results overflow for such integers; ONNX does not say what they are then."""
SUMS = frozenset({"Abs", "Add", "CumSum", "Mean", "Neg", "ReduceL1", "ReduceMean", "ReduceSum", "Sub", "Sum"})
"""Further ops whose results overflow for the largest and least integers of a type."""
LOW = (-3e17, -2e17)
"""The range of all elements where the axis `values` says `low`."""


class Void(Exception):
    """A row that describes no valid node."""


@dataclass
class Draw:
    """A row while its node is made. `node` is filled by the family's function `make`.

    Attributes of the node are taken from the axes named `attribute X`; `make` may add others.
    """

    op: str
    row: Row
    rng: np.random.Generator
    attributes: dict[str, Any] = field(default_factory=dict)
    fixed: set[int] = field(default_factory=set)
    """Inputs that are constants whatever the axis `constants` says."""
    captured: dict[str, np.ndarray] = field(default_factory=dict)
    """Inputs of the model that only the graphs inside the node read, by name."""
    outputs: int = 1
    unnamed: frozenset[int] = frozenset()
    """Outputs that are left out by an empty name."""

    def __post_init__(self) -> None:
        self._special_tensors = 0
        for axis, value in self.row.items():
            if axis.startswith("attribute ") and value is not LEFT_OUT:
                self.set(axis.removeprefix("attribute "), value)

    def __getitem__(self, axis: str) -> Any:
        """Return the value of an axis."""
        return self.row[axis]

    def get(self, axis: str, default: Any = None) -> Any:
        """Return the value of an axis, `default` for an op that does not have it."""
        return self.row.get(axis, default)

    @property
    def opset(self) -> int:
        """The opset of the model."""
        return int(self["opset"])

    @property
    def schema(self) -> onnx.defs.OpSchema:
        """The schema in force. Raises `Void` if the op does not exist."""
        found = schema(self.op, self.opset)
        if found is None:
            raise Void
        return found

    @property
    def dtype(self) -> np.dtype:
        """The element type of the first input."""
        return np.dtype(str(self.get("type", "float32")))

    def set(self, name: str, value: Any) -> None:
        """Give the node an attribute. Raises `Void` if it has none of that name at this opset."""
        self.require(name in self.schema.attributes)
        self.attributes[name] = list(value) if isinstance(value, tuple) else value

    def fix(self, given: object, *inputs: int) -> None:
        """Make these inputs constants if `given` is `constant`."""
        if given == "constant":
            self.fixed.update(inputs)

    def require(self, condition: object) -> None:
        """Raise `Void` unless the condition holds."""
        if not condition:
            raise Void

    def array(self, shape: Sequence[int], low: float = -2.0, high: float = 2.0, dtype: Any = None) -> np.ndarray:
        """Return seeded numbers of this range. Raises `Void` for a tensor too large."""
        kind = np.dtype(dtype or self.dtype)
        self.require(math.prod(shape) <= MOST_ELEMENTS)
        if kind.kind == "b":
            return self.rng.random(shape) < 0.5
        if kind.kind in "iu":
            floor = max(low, np.iinfo(kind).min) if kind.kind == "i" else max(low, 0)
            return self.rng.integers(math.floor(floor), math.ceil(high) + 1, shape).astype(kind)
        return self.rng.uniform(low, high, shape).astype(kind)

    def data(self, shape: Sequence[int], low: float = -2.0, high: float = 2.0) -> np.ndarray:
        """Return the numbers of an input, with the special ones that the axis `values` asks for."""
        if self.get("values") == "low":
            self.require(self.dtype.kind == "f" and float(np.finfo(self.dtype).min) < LOW[0])
            return self.array(shape, *LOW)
        x = self.array(shape, low, high)
        special = SPECIAL.get(str(self.get("values", "plain")))
        if special is None:
            return x
        step = 2 + self._special_tensors  # places differ between inputs, but all have the first
        places = np.arange(0, x.size, step)
        numbers = self._integers() if x.dtype.kind in "iu" else self._floats(special)
        x.flat[places] = numbers[(places // step + self._special_tensors) % len(numbers)]
        self._special_tensors += 1
        return x

    def _floats(self, special: Sequence[float]) -> np.ndarray:
        self.require(self.dtype.kind == "f")
        with np.errstate(over="ignore"):
            return np.clip(special, *_limits(self.dtype, special)).astype(self.dtype)

    def _integers(self) -> np.ndarray:
        """Return integers that float32 does not hold; of a type that has none, its largest and least ones."""
        self.require(self["values"] == "far" and self.op not in PRODUCTS)
        if is_wide(self.dtype):
            return np.array(FAR_INTEGERS if self.dtype.kind == "i" else np.abs(FAR_INTEGERS), self.dtype)
        self.require(self.op not in SUMS)
        limits = np.iinfo(self.dtype)
        return np.array([limits.max, limits.min, limits.max - 1, limits.min + 1, limits.max // 2 + 1, 3], self.dtype)

    def ints(self, values: Sequence[int] | np.ndarray, dtype: Any = np.int64) -> np.ndarray:
        """Return whole numbers as an input, such as axes."""
        return np.asarray(values, dtype)

    def parameter(self, name: str, values: Sequence[int], inputs: list[np.ndarray | None]) -> None:
        """Give whole numbers such as `axes` as the attribute of this opset, or as its next input."""
        if name in self.schema.attributes:
            self.set(name, tuple(int(value) for value in values))
        else:
            inputs.append(self.ints(values))

    def image(self) -> tuple[int, ...]:
        """Return the shape `(batch, channels, *sizes)`, cut to the rank that is drawn."""
        rank = self.get("rank", 4)
        if rank < 2:
            return (self["channels"],)[:rank]
        return (self["batch"], self["channels"], *self.spatial("size", rank - 2))

    def spatial(self, axis: str, rank: int) -> tuple[int, ...]:
        """Return a value per spatial dimension of a pair such as a kernel; the two take turns."""
        pair = self[axis]
        return tuple(pair[i % 2] for i in range(rank))


def is_wide(dtype: np.dtype) -> bool:
    """Return whether a type has integers that float32 does not hold."""
    return dtype.kind in "iu" and dtype.itemsize >= 4


def _limits(kind: np.dtype, values: Sequence[float]) -> tuple[float, float]:
    """Return the least and the largest number of a type; no limits for values of which one is infinite anyway."""
    if any(map(math.isinf, values)):
        return -math.inf, math.inf
    return float(np.finfo(kind).min), float(np.finfo(kind).max)


Inputs = Sequence[np.ndarray | None]
"""Inputs of a node; None for one that is left out."""


@dataclass(frozen=True)
class Family:
    """Ops whose nodes are drawn alike.

    - `ops`: the op types
    - `axes`: returns, for an op, the axes beside the opset, the attributes and the constants
    - `make`: returns the inputs of a node; raises `Void` where the row describes none
    - `own_attributes`: attributes that `make` sets or leaves out
    - `elementwise`: whether every element of the output is compared with its own size rather than the range of all
    - `constants`: the values of the axis of that name, if there is more than one
    - `weight`: how many samples the ops get for each pair of values
    - `usual`: by axis, the values that it has in every second row; for the element type this is always the first
    - `typed`: whether the element type of the first input is an axis, unless `axes` returns one of that name
    """

    ops: tuple[str, ...]
    axes: Callable[[str], Axes]
    make: Callable[[Draw], Inputs]
    own_attributes: frozenset[str] = frozenset()
    elementwise: bool = False
    constants: tuple[Hashable, ...] = CONSTANTS
    weight: float = 1.0
    usual: Axes = field(default_factory=dict)
    typed: bool = True

    def all_axes(self, op: str) -> Axes:
        """Return every axis of an op."""
        types = {"type": types_of(op)} if self.typed else {}
        axes = {"opset": opsets(op), **types, **self.axes(op), **attribute_axes(op, self.own_attributes)}
        if len(self.constants) > 1:
            axes["constants"] = self.constants
        return {name: values for name, values in axes.items() if len(values)}

    def usual_axes(self, op: str) -> Axes:
        """Return the values that some axes of an op have in every second row."""
        types = self.all_axes(op).get("type", ())[:1]
        return {"type": types, **self.usual} if types else self.usual


def constant_inputs(draw: Draw, count: int) -> set[int]:
    """Return which of `count` inputs are initializers."""
    choice = draw.get("constants", "none")
    chosen = {"rest": range(1, count), "first": range(1), "none": range(0), "all": range(count)}[choice]
    return {*chosen, *draw.fixed} if count > 1 or choice == "all" else set(draw.fixed)
