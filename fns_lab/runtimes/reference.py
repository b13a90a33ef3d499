"""ONNX's reference evaluator: every op as the specification defines it, in NumPy, slow."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto
from onnx.reference import ReferenceEvaluator

from fns_lab.runtimes.base import TimedRunner


class ReferenceRunner(TimedRunner):
    """`onnx.reference.ReferenceEvaluator` as a runner. It belongs to no target: `target` is None."""

    target = None

    def load(self, model: ModelProto) -> None:
        """Create the evaluator."""
        self._evaluator = ReferenceEvaluator(model)

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        return list(self._evaluator.run(None, feeds))

    def engine_name(self) -> str:
        """Return the name that a RuntimeFault gives the engine."""
        return "onnx reference"
