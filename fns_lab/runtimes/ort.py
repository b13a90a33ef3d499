"""ONNX Runtime on the CPU, in this process: the reference that every other engine is held against."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnxruntime
from onnx import ModelProto

from fns_lab.runtimes.base import InProcessRunner

FATAL_ONLY = 4
"""An error is raised, and told once."""


class OrtRunner(InProcessRunner):
    """`onnxruntime.InferenceSession` with the CPU provider, everything else at the engine's defaults but one: its
    threads stop when a run ends. By default they go on spinning, and take the cores from whoever runs next.
    """

    def load(self, model: ModelProto) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL_ONLY
        options.add_session_config_entry("session.force_spinning_stop", "1")
        self._session = onnxruntime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        return self._session.run(None, feeds)
