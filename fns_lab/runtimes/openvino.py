"""OpenVINO on the CPU, in this process."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import openvino
from onnx import ModelProto

from fns_lab import models, weights
from fns_lab.runtimes.base import SizedRunner


class OpenVinoRunner(SizedRunner):
    """A model compiled for OpenVINO's CPU device, with the properties in the target's settings."""

    def read(self, model: ModelProto) -> None:
        """Compile the model."""
        core = openvino.Core()
        compiled = core.compile_model(
            core.read_model(weights.inside(model).SerializeToString()), "CPU", dict(self.target.settings)
        )
        self._inputs = [_input_named(port.get_names(), model) for port in compiled.inputs]
        self._outputs = len(compiled.outputs)
        self._request = compiled.create_infer_request()

    def forward(self, feeds: dict[str, np.ndarray]) -> Sequence[np.ndarray]:
        """Return the graph outputs, in the model's order."""
        # The compiled model has no input that no node reads.
        arrays = {i: feeds[name] for i, name in enumerate(self._inputs)}
        self._request.infer(arrays, share_inputs=not self.lasting)
        outputs = [self._request.get_output_tensor(i).data for i in range(self._outputs)]
        return [output.copy() for output in outputs] if self.lasting else outputs


def _input_named(names: set[str], model: ModelProto) -> str:
    """Return the model's input that OpenVINO gives one of these names.

    A Dropout, for one, is taken out when a model is loaded, and the input before it then has the name of its output.
    """
    inputs = models.fed_inputs(model)
    producers = {output: node for node in model.graph.node for output in node.output}
    for name in sorted(names):
        while name not in inputs and name in producers and producers[name].input:
            name = producers[name].input[0]
        if name in inputs:
            return name
    raise ValueError(f"OpenVINO has an input {sorted(names)} that the model has not")
