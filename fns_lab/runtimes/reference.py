"""The ONNX reference evaluator: slow, in plain numpy, and the specification's own word on every op."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from fns_lab.runtimes.base import InProcessRunner


class ReferenceRunner(InProcessRunner):
    """`onnx.reference.ReferenceEvaluator` behind the runner contract; it has no target, `target` is None."""

    def __init__(self, model: ModelProto) -> None:
        super().__init__(model, target=None)

    def load(self, model: ModelProto) -> None:
        self._evaluator = ReferenceEvaluator(model)

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        return self._evaluator.run(None, feeds)

    def engine_name(self) -> str:
        return "onnx reference"
