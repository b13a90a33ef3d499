"""What every runner shares: leaving the `with` block closes it, and feeds are looked at before the engine sees them."""

from __future__ import annotations

import abc
import math
import time
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

from fns_lab.errors import InputError, RuntimeFault
from fns_lab.models import model_label as model_label  # for the runners beside this file
from fns_lab.runtimes.packages import installed_version
from fns_lab.targets import Target

A, R = TypeVar("A"), TypeVar("R")


class ClosingRunner:
    """Context manager half of a runner; `infer` and `close` are the subclass's."""

    ms: float = float("nan")
    create_ms: float = float("nan")

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to free unless the subclass says so."""


class InProcessRunner(ClosingRunner, abc.ABC):
    """An engine that is a Python package. The subclass says how it loads and runs; clock, feeds and faults are here."""

    def __init__(
        self, model: ModelProto, target: Target | None, *, timeout_s: float = math.inf, once: bool = False
    ) -> None:
        """`timeout_s` is for engines that can be stopped; nothing stops one in this process."""
        self.target, self.once = target, once
        self.model = model
        _, self.create_ms = self._timed(self.load, model)

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        values, self.ms = self._timed(self.run, checked_feeds(self.model, feeds))
        return dict(zip(output_dtypes(self.model), values, strict=True))

    @abc.abstractmethod
    def load(self, model: ModelProto) -> None:
        """Hand the model to the engine. Whatever it raises becomes a RuntimeFault."""

    @abc.abstractmethod
    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """The graph outputs, in the model's order. Whatever it raises becomes a RuntimeFault."""

    def _timed(self, call: Callable[[A], R], argument: A) -> tuple[R, float]:
        """What `call` returns, and how many milliseconds it took."""
        start = time.perf_counter()
        try:
            result = call(argument)
        except Exception as error:  # engines raise classes of their own, with no base in common below Exception
            raise RuntimeFault(self.engine_name(), model_label(self.model), self.words(error)) from error
        return result, (time.perf_counter() - start) * 1000

    def words(self, error: Exception) -> str:
        """What the engine said."""
        return str(error)

    def engine_name(self) -> str:
        """How a fault names the engine."""
        return f"{self.target} ({self.target.package} {installed_version(self.target.package)})"


def true_inputs(model: ModelProto) -> dict[str, ValueInfoProto]:
    """The inputs that must be fed: initializers that are listed as inputs too (IR 3) are left out."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    return {value.name: value for value in model.graph.input if value.name not in initializers}


def output_dtypes(model: ModelProto) -> dict[str, np.dtype]:
    """Element type of each graph output, in the model's order."""
    return {value.name: _dtype(value) for value in model.graph.output}


def checked_feeds(model: ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`feeds` in C order. InputError names the first input that is missing, unknown, of another type or shape.

    The shape is looked at here since ONNX.js, fed with a wrong one, takes it for the right one from then on.
    """
    inputs = true_inputs(model)
    for name in feeds:
        if name not in inputs:
            raise InputError(f"the model has no input '{name}'; its inputs are {', '.join(map(repr, inputs))}")
    return {name: _checked(value, feeds) for name, value in inputs.items()}


def _checked(value: ValueInfoProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    name, dtype, sides = value.name, _dtype(value), _sides(value)
    if name not in feeds:
        raise InputError(f"input '{name}' ({dtype}) is missing from the feeds")
    array = np.asarray(feeds[name], order="C")
    if array.dtype != dtype:
        raise InputError(f"input '{name}' takes {dtype}, not {array.dtype}; convert it with .astype('{dtype}')")
    if sides is not None and not _fits(array.shape, sides):
        wanted = "(" + ", ".join(str(side or "any") for side in sides) + ")"
        raise InputError(f"input '{name}' takes shape {wanted}, not {array.shape}")
    return array


def _sides(value: ValueInfoProto) -> list[int | None] | None:
    """Declared sides, None for one that may vary; None for a shape that is not declared at all."""
    tensor = value.type.tensor_type
    return [side.dim_value or None for side in tensor.shape.dim] if tensor.HasField("shape") else None


def _fits(shape: tuple[int, ...], sides: list[int | None]) -> bool:
    return len(shape) == len(sides) and all(wanted in (None, given) for given, wanted in zip(shape, sides, strict=True))


def _dtype(value: ValueInfoProto) -> np.dtype:
    elem_type = value.type.tensor_type.elem_type
    if elem_type == TensorProto.UNDEFINED:
        raise InputError(f"'{value.name}' has no tensor element type")
    return np.dtype(helper.tensor_dtype_to_np_dtype(elem_type))
