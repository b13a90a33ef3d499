"""OpenCV's dnn module on the CPU, in this process."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from onnx import ModelProto

from fns_lab import models, weights
from fns_lab.runtimes.base import SizedRunner, output_dtypes


def with_output_shapes(model: ModelProto) -> ModelProto:
    """Return the model with a shape for each output, which OpenCV fails without: as inferred, else any vector's."""
    if all(value.type.tensor_type.HasField("shape") for value in model.graph.output):
        return model
    complete = models.infer_shapes(model)
    for value in complete.graph.output:
        if not value.type.tensor_type.HasField("shape"):
            value.type.tensor_type.shape.dim.add()
    return complete


def _empty_shape(shape: tuple[int | str, ...]) -> tuple[int, ...] | None:
    """Return the shape of an output that has no elements: its only size that is not known is 0; None if it has some."""
    sizes = tuple(size if isinstance(size, int) else 0 for size in shape)
    return sizes if sizes.count(0) == 1 or 0 in shape else None


class OpenCvRunner(SizedRunner):
    """`cv2.dnn.Net` as `readNetFromONNX` creates it, with default settings."""

    def read(self, model: ModelProto) -> None:
        """Read the model, and note which outputs are scalars or empty: OpenCV returns these as vectors or as None."""
        model = with_output_shapes(weights.inside(model))
        content = np.frombuffer(model.SerializeToString(), np.uint8)
        self._net = cv2.dnn.readNetFromONNX(content)
        has_branches = any(node.op_type == "If" for node in models.walk(model.graph))
        self._branching = content if has_branches else None
        dtypes = output_dtypes(model)
        self._outputs = list(dtypes)
        self._halves = {name for name, dtype in dtypes.items() if dtype == np.float16}
        shapes = {value.name: models.shape_of(value) for value in model.graph.output}
        self._scalars = {name for name, shape in shapes.items() if shape == ()}
        self._empty = {n: np.empty(sizes, dtypes[n]) for n, shape in shapes.items() if (sizes := _empty_shape(shape))}

    def forward(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        if self._branching is not None:  # it fails on another branch than that of the run before
            self._net = cv2.dnn.readNetFromONNX(self._branching)
        for name, array in feeds.items():
            self._net.setInput(array, name)
        values = self._net.forward(self._outputs)
        return [self._as_declared(name, value) for name, value in zip(self._outputs, values, strict=True)]

    def _as_declared(self, name: str, value: np.ndarray | None) -> np.ndarray:
        """Return an output without the dimension that OpenCV adds to a scalar, or the empty one that it left out.

        It computes float16 in float32, and returns it so.
        """
        if value is not None:
            value = value.astype(np.float16) if name in self._halves else value
            return value.reshape(()) if name in self._scalars else value
        if name not in self._empty:
            raise ValueError(f"OpenCV returned nothing for the output {name!r}")
        return self._empty[name]
