"""The ONNX reference evaluator: slow, in plain numpy, and the specification's own word on every op."""

from __future__ import annotations

import time

import numpy as np
from onnx import ModelProto

from fns_lab.runtimes import RuntimeFault
from fns_lab.runtimes.base import ClosingRunner, checked_feeds, model_label


class ReferenceRunner(ClosingRunner):
    """`onnx.reference.ReferenceEvaluator` behind the runner contract; it has no target, `target` is None."""

    target = None

    def __init__(self, model: ModelProto) -> None:
        from onnx.reference import ReferenceEvaluator

        self._model = model
        start = time.perf_counter()
        try:
            self._evaluator = ReferenceEvaluator(model)
        except Exception as error:  # numpy code of many ops: any exception is the engine's answer
            raise RuntimeFault("onnx reference", model_label(model), str(error)) from error
        self.create_ms = (time.perf_counter() - start) * 1000

    def infer(self, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        feeds = checked_feeds(self._model, feeds)
        start = time.perf_counter()
        try:
            values = self._evaluator.run(None, feeds)
        except Exception as error:
            raise RuntimeFault("onnx reference", model_label(self._model), str(error)) from error
        self.ms = (time.perf_counter() - start) * 1000
        return dict(zip(self._evaluator.output_names, values, strict=True))
