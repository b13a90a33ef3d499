"""ONNX Runtime on the CPU, in this process: the reference with which every other engine is compared."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from onnx import ModelProto

from fns_lab import weights
from fns_lab.runtimes.base import InProcessRunner
from fns_lab.runtimes.isolated import IsolatedRunner

FATAL_ONLY = 4
"""Log level: errors are raised as exceptions, so they need not be logged too."""
FEW_NODES = 16
"""Most nodes of a model that has next to no memory which an earlier node frees and a later one can use."""


class OrtRunner(InProcessRunner):
    """`onnxruntime.InferenceSession` with the CPU provider and default settings, except for threads and memory.

    Threads: they stop when a run ends. By default they go on spinning and take the cores from the next engine.
    Memory: outputs are views into the session's arena, and one small output keeps the whole arena alive (1.7 GiB for
    24 MiB of output with a style image of 1920 x 1080 pixels). So with `once`, the runner returns copies; for a small
    model, whose outputs may be large, it uses no arena instead. With `optimizations = false` in the settings of the
    target, every node runs as it is written.
    """

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Return every graph output by name, as every runner does.

        An array without elements is given to a process of its own, since ONNX Runtime has crashed on these.
        """
        if self.target.own_process or all(np.size(array) for array in feeds.values()):
            return super().infer(feeds)
        with IsolatedRunner(self.model, self.target, once=True) as runner:
            outputs = runner.infer(feeds)
            self.ms = runner.ms
        return outputs

    def load(self, model: ModelProto) -> None:
        """Create the session."""
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL_ONLY
        options.add_session_config_entry("session.force_spinning_stop", "1")
        if not self.target.settings.get("optimizations", True):
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        self._options = onnxruntime.RunOptions()
        self._arena = options.enable_cpu_mem_arena = not self.once or len(model.graph.node) > FEW_NODES
        outside = dict(weights.mapped(model))
        if outside:
            values = [onnxruntime.OrtValue.ortvalue_from_numpy(array) for array in outside.values()]
            options.add_external_initializers(list(outside), values)
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def cancel(self) -> None:
        """End the run at its next node."""
        self._options.terminate = True

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        self._options = onnxruntime.RunOptions()
        values: Sequence[np.ndarray] = self._session.run(None, feeds, self._options)
        return [value.copy() for value in values] if self.once and self._arena else values
