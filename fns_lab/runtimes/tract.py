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
from fns_lab.runtimes.base import SizedRunner
from fns_lab.sizes import with_open_sizes


class TractRunner(SizedRunner):
    """A `tract.Runnable` with tract's default optimisations. tract reads ONNX from files only.

    It compares sizes by their names, and fails where a value has a fixed size for which the model states a name.
    """

    def read(self, model: ModelProto) -> None:
        """Write the model to a temporary file and have tract read that."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            file.write_bytes(with_open_sizes(weights.inside(model)).SerializeToString())
            loaded = tract.onnx().load(file)
        self._inputs = [loaded.input_name(i) for i in range(loaded.input_count())]
        self._runnable = loaded.into_model().into_runnable()

    def forward(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        return [_as_array(value) for value in self._runnable.run([feeds[name] for name in self._inputs])]

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
