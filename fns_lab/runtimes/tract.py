"""tract on the CPU, in this process."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tract
from onnx import ModelProto

from fns_lab.runtimes.base import InProcessRunner


class TractRunner(InProcessRunner):
    """A `tract.Runnable`, optimised as tract does by default. tract reads ONNX from files alone."""

    def load(self, model: ModelProto) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "model.onnx"
            file.write_bytes(model.SerializeToString())
            loaded = tract.onnx().load(file)
        self._inputs = [loaded.input_name(i) for i in range(loaded.input_count())]
        self._runnable = loaded.into_model().into_runnable()

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        return [value.to_numpy() for value in self._runnable.run([feeds[name] for name in self._inputs])]

    def words(self, error: Exception) -> str:
        # With RUST_BACKTRACE set, the stack follows.
        return str(error).partition("Stack backtrace:")[0]
