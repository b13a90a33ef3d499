"""Base classes of the runners: closing at the end of a `with` block, checked feeds, timing and errors."""

from __future__ import annotations

import abc
import time
from collections.abc import Callable, Sequence
from typing import Self, TypeVar

import numpy as np
from onnx import ModelProto

from fns_lab.errors import RuntimeFault
from fns_lab.feeds import fit_feeds, require_int32
from fns_lab.limits import ANSWER_SECONDS
from fns_lab.models import dtype_of, model_label
from fns_lab.runtimes.advice import advice
from fns_lab.runtimes.packages import version_of
from fns_lab.sizes import has_free_sizes, with_input_shapes
from fns_lab.targets import Target

Argument = TypeVar("Argument")
"""What a runner's function takes."""
Result = TypeVar("Result")
"""What it returns."""


def no_answer(timeout_s: float) -> str:
    """Return the message for an engine that gave no answer in time, and how to allow more where the limit ended it."""
    hint = f"; {ANSWER_SECONDS.how_to_raise}" if timeout_s == ANSWER_SECONDS.value else ""
    return f"gave no answer within {timeout_s:g} s{hint}"


class ClosingRunner:
    """The context manager of a runner; the subclass adds `infer`, and `close` if it has something to free."""

    ms: float = float("nan")
    create_ms: float = float("nan")
    lasting: bool = True
    """Whether outputs must be right after the next run too. If not, a runner may return the engine's own memory."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Free the session; here there is none."""

    def cancel(self) -> None:
        """Have a run that another thread waits for end early with a RuntimeFault; here it goes on to its end."""


class TimedRunner(ClosingRunner, abc.ABC):
    """A runner whose subclass loads and runs a model; timing, checking of feeds and errors are here."""

    def __init__(self, model: ModelProto) -> None:
        self.model = model
        _, self.create_ms = self._timed(self.load, model)

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises InputError for feeds that do not fit, RuntimeFault for the rest."""
        values, self.ms = self._timed(self.run, fit_feeds(self.model, feeds))
        return dict(zip(output_dtypes(self.model), values, strict=True))

    @abc.abstractmethod
    def load(self, model: ModelProto) -> None:
        """Load the model into the engine. Whatever it raises becomes a RuntimeFault."""

    @abc.abstractmethod
    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order. Whatever it raises becomes a RuntimeFault."""

    @abc.abstractmethod
    def engine_name(self) -> str:
        """Return the name that a RuntimeFault gives the engine."""

    def error_text(self, error: Exception) -> str:
        """Return the engine's own message."""
        return str(error)

    def advice(self) -> str:
        """Return what a RuntimeFault adds to the engine's own message; here nothing."""
        return ""

    def _timed(self, call: Callable[[Argument], Result], argument: Argument) -> tuple[Result, float]:
        """Return what `call` returns, and the milliseconds that it took."""
        start = time.perf_counter()
        try:
            result = call(argument)
        except Exception as error:  # the exceptions of engines share no base class below Exception
            label, text = model_label(self.model), self.error_text(error)
            raise RuntimeFault(self.engine_name(), label, text, self.advice()) from error
        return result, (time.perf_counter() - start) * 1000


class InProcessRunner(TimedRunner):
    """The engine of a target that is a Python package. The subclass says how it loads and runs a model.

    `timeout_s` is ignored: only an engine in a browser page can be stopped.
    """

    def __init__(
        self, model: ModelProto, target: Target, *, timeout_s: float | None = None, once: bool = False
    ) -> None:
        self.target, self.once = target, once
        super().__init__(model)

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name. Raises `InputError` and `RuntimeFault` as every runner does."""
        if self.target.int64_as_int32:
            require_int32(feeds)
        return super().infer(feeds)

    def engine_name(self) -> str:
        """Return the target, the package and its installed version."""
        return package_name(self.target)

    def advice(self) -> str:
        """Return what `check` has against the model, if anything."""
        return advice(self.model, self.target)


class SizedRunner(InProcessRunner):
    """An engine that fails on many ops of values with free sizes, or gets them wrong.

    A model that has such sizes is read when it is run, with those that are fed in their place, and again when they
    change. The subclass says how the engine reads a model and runs what it read.
    """

    def load(self, model: ModelProto) -> None:
        """Read the model, unless it has free sizes."""
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._has_free_sizes = has_free_sizes(model)
        if not self._has_free_sizes:
            self.read(model)

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        if self._has_free_sizes:
            shapes = {name: array.shape for name, array in feeds.items()}
            if shapes != self._shapes:
                self.read(with_input_shapes(self.model, shapes))
                self._shapes = shapes
        return self.forward(feeds)

    @abc.abstractmethod
    def read(self, model: ModelProto) -> None:
        """Read a model of fixed sizes into the engine, in place of what was read before."""

    @abc.abstractmethod
    def forward(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""


def package_name(target: Target) -> str:
    """Return the target, the package of its engine and the version that runs, as a RuntimeFault names them."""
    return f"{target} ({target.package or target.runtime} {version_of(target)})"


def output_dtypes(model: ModelProto) -> dict[str, np.dtype]:
    """Return the element type of each graph output, in the model's order. Raises InputError for one without."""
    return {value.name: dtype_of(value) for value in model.graph.output}
