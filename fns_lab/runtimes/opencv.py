"""OpenCV's dnn module on the CPU, in this process."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from onnx import ModelProto

from fns_lab import models
from fns_lab.runtimes.base import InProcessRunner, output_dtypes


class OpenCvRunner(InProcessRunner):
    """`cv2.dnn.Net` as `readNetFromONNX` creates it, with default settings."""

    def load(self, model: ModelProto) -> None:
        """Read the model, and note which outputs are scalars: OpenCV returns them with one dimension."""
        self._net = cv2.dnn.readNetFromONNX(np.frombuffer(model.SerializeToString(), np.uint8))
        self._outputs = list(output_dtypes(model))
        self._scalars = {value.name for value in model.graph.output if models.shape_of(value) == ()}

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        for name, array in feeds.items():
            self._net.setInput(array, name)
        values = self._net.forward(self._outputs)
        return [
            value.reshape(()) if name in self._scalars else value
            for name, value in zip(self._outputs, values, strict=True)
        ]
