"""Small graphs for the engines, and the error of their results."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

BROWSER_TARGETS = (
    "onnxjs-0.1.3/cpu", "onnxjs-0.1.3/wasm", "onnxjs-0.1.3/webgl",
    "onnxjs-0.1.4/cpu", "onnxjs-0.1.4/wasm", "onnxjs-0.1.4/webgl",
    "onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/webgl",
    "ort-web/wasm", "ort-web/webgl", "ort-web/webgpu",
)  # fmt: skip

PIP_TARGETS = ("ort/cpu", "opencv/cpu", "openvino/cpu", "tract/cpu")

FLOAT32_ERROR = 1e-4
"""Greatest |error| allowed, relative to the largest value or to 1: float32 sums of hundreds of terms, in any order."""


def node(op: str, inputs: str, outputs: str, **attributes) -> NodeProto:
    """A node whose inputs and outputs are given as names with blanks between them."""
    return helper.make_node(op, inputs.split(), outputs.split(), **attributes)


def graph(
    nodes: list[NodeProto],
    feeds: dict[str, np.ndarray],
    initializers: dict[str, np.ndarray] | None = None,
    *,
    outputs: dict[str, tuple[int, ...]],
    output_type: int = TensorProto.FLOAT,
    opset: int = 7,
    ir_version: int = 3,
    initializers_are_inputs: bool = True,
) -> ModelProto:
    """A model whose inputs have the types and shapes of `feeds`; IR 3 is what every engine loads."""
    initializers = initializers or {}
    inputs = feeds | initializers if initializers_are_inputs else feeds
    proto = helper.make_graph(
        nodes,
        "small",
        [_value(name, array) for name, array in inputs.items()],
        [helper.make_tensor_value_info(name, output_type, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in initializers.items()],
    )
    return helper.make_model(proto, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def image(*shape: int, mean: float = 50.0, sd: float = 3.0) -> np.ndarray:
    """Seeded float32 noise far from 0, so that a lost mean shows."""
    return np.random.default_rng(0).normal(mean, sd, shape).astype(np.float32)


def relu(x: np.ndarray) -> ModelProto:
    """One Relu for inputs shaped as `x`."""
    return graph([node("Relu", "x", "y")], {"x": x}, outputs={"y": x.shape})


def worst_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Greatest |difference| over the largest |expected| or 1, the greater; infinite for another shape or NaN."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return float(np.abs(actual.astype(np.float64) - expected).max() / max(1.0, np.abs(expected).max()))


def _value(name: str, array: np.ndarray):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
