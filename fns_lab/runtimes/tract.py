"""tract on the CPU, in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tract
from onnx import ModelProto
from tract.tensor import DatumType

from fns_lab import weights
from fns_lab.runtimes.base import InProcessRunner
from fns_lab.sizes import has_free_sizes, with_input_shapes


class TractRunner(InProcessRunner):
    """A `tract.Runnable` with tract's default optimisations. tract reads ONNX from files only.

    A model with free sizes is loaded when it is run, for the sizes that are fed, and again when they change: of free
    sizes tract makes formulas, on which many of its ops fail.
    """

    def load(self, model: ModelProto) -> None:
        """Have tract read the model, unless it has free sizes."""
        self._shapes: dict[str, tuple[int, ...]] = {}
        self._has_free_sizes = has_free_sizes(model)
        if not self._has_free_sizes:
            self._read(model)

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        shapes = {name: array.shape for name, array in feeds.items()}
        if self._has_free_sizes and shapes != self._shapes:
            self._read(with_input_shapes(self.model, shapes))
            self._shapes = shapes
        return [_as_array(value) for value in self._runnable.run([feeds[name] for name in self._inputs])]

    def _read(self, model: ModelProto) -> None:
        """Write the model to a temporary file and have tract read that."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            file.write_bytes(weights.inside(model).SerializeToString())
            loaded = tract.onnx().load(file)
        self._inputs = [loaded.input_name(i) for i in range(loaded.input_count())]
        self._runnable = loaded.into_model().into_runnable()

    def error_text(self, error: Exception) -> str:
        """Return tract's message without the stack that follows it where RUST_BACKTRACE is set."""
        return str(error).partition("Stack backtrace:")[0]


def _as_array(value: tract.Tensor) -> np.ndarray:
    """Return the array of a tensor. A size, which tract gives a type of its own for Shape and Size, becomes int64."""
    try:
        return np.asarray(value.to_numpy())
    except tract.TractError as error:
        if "TDim" not in str(error):
            raise
        return np.asarray(value.convert_to(DatumType.I64).to_numpy())
