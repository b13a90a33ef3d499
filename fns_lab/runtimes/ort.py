"""ONNX Runtime on the CPU, in this process: the reference that every other engine is held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from onnx import ModelProto

from fns_lab.runtimes.base import InProcessRunner

FATAL_ONLY = 4
"""An error is raised, and told once."""
FEW_NODES = 16
"""So few ops leave nothing behind that a later one could use again."""


class OrtRunner(InProcessRunner):
    """`onnxruntime.InferenceSession` with the CPU provider, at the engine's defaults but for threads and memory.

    Its threads stop when a run ends; by default they go on spinning, and take the cores from whoever runs next.
    Outputs are views into its arena, and the smallest keeps all that the run took: of a style image of 1920 x 1080
    pixels 1.7 GiB for 24 MiB. So a single run gives copies, or of few ops, whose outputs may be large, has no arena.
    """

    def load(self, model: ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL_ONLY
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._arena = options.enable_cpu_mem_arena = not self.once or len(model.graph.node) > FEW_NODES
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        values = self._session.run(None, feeds)
        return [value.copy() for value in values] if self.once and self._arena else values
