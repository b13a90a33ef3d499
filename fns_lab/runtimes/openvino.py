"""OpenVINO on the CPU, in this process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino
from onnx import ModelProto

from fns_lab.runtimes.base import InProcessRunner


class OpenVinoRunner(InProcessRunner):
    """A model compiled for OpenVINO's CPU device, with the properties in the target's settings."""

    def load(self, model: ModelProto) -> None:
        """Compile the model."""
        core = openvino.Core()
        compiled = core.compile_model(core.read_model(model.SerializeToString()), "CPU", dict(self.target.settings))
        self._read = {name for port in compiled.inputs for name in port.get_names()}
        self._outputs = len(compiled.outputs)
        self._request = compiled.create_infer_request()

    def run(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        # The compiled model has no input that no node reads.
        self._request.infer({name: array for name, array in feeds.items() if name in self._read})
        return [self._request.get_output_tensor(i).data.copy() for i in range(self._outputs)]
