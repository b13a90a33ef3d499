"""Run a model in ONNX Runtime as it is written."""

from __future__ import annotations

import numpy as np
import onnx


def run(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray]:
    """Return all outputs for the input `x`, without ONNX Runtime's optimizer, on one thread."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return session.run(None, {"x": x})
