"""ONNX Runtime on the CPU, in this process: the reference that the browser engines are held against."""

from __future__ import annotations

import time

import numpy as np
from onnx import ModelProto

from fns_lab.runtimes import RuntimeFault
from fns_lab.runtimes.base import ClosingRunner, checked_feeds, model_label
from fns_lab.targets import Target

FATAL_ONLY = 4
"""An error is raised, and told once."""


class OrtRunner(ClosingRunner):
    """`onnxruntime.InferenceSession` with the CPU provider, everything else at the engine's defaults."""

    def __init__(self, model: ModelProto, target: Target) -> None:
        import onnxruntime

        self.target = target
        self._model = model
        options = onnxruntime.SessionOptions()
        options.log_severity_level = FATAL_ONLY
        start = time.perf_counter()
        try:
            self._session = onnxruntime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # onnxruntime's exceptions share no base class below Exception
            raise self._fault(error) from error
        self.create_ms = (time.perf_counter() - start) * 1000

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        feeds = checked_feeds(self._model, feeds)
        names = [output.name for output in self._session.get_outputs()]
        start = time.perf_counter()
        try:
            values = self._session.run(names, feeds)
        except Exception as error:
            raise self._fault(error) from error
        self.ms = (time.perf_counter() - start) * 1000
        return dict(zip(names, values, strict=True))

    def _fault(self, error: Exception) -> RuntimeFault:
        import onnxruntime

        engine = f"{self.target.name} (onnxruntime {onnxruntime.__version__})"
        return RuntimeFault(engine, model_label(self._model), str(error))
