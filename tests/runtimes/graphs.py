"""Small graphs for the engines, and the error of an output."""

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
"""Largest |error| allowed, relative to the largest value or to 1: float32 sums of hundreds of terms, in any order."""


def node(op: str, inputs: str, outputs: str, **attributes) -> NodeProto:
    """Return a node; `inputs` and `outputs` are names with spaces between them."""
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
    """Return a model whose inputs have the types and shapes of `feeds`; every engine loads IR 3, the default."""
    initializers = initializers or {}
    inputs = feeds | initializers if initializers_are_inputs else feeds
    small = helper.make_graph(
        nodes,
        "small",
        [_value(name, array) for name, array in inputs.items()],
        [helper.make_tensor_value_info(name, output_type, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(array, name) for name, array in initializers.items()],
    )
    return helper.make_model(small, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def image(*shape: int, mean: float = 50.0, sd: float = 3.0) -> np.ndarray:
    """Return seeded float32 noise, far from 0 so that an error in the mean shows."""
    return np.random.default_rng(0).normal(mean, sd, shape).astype(np.float32)


def relu(x: np.ndarray) -> ModelProto:
    """Return a model of one Relu for inputs of the shape of `x`."""
    return graph([node("Relu", "x", "y")], {"x": x}, outputs={"y": x.shape})


def slow_model() -> tuple[ModelProto, dict[str, np.ndarray]]:
    """Return a convolution that keeps the JavaScript of ONNX.js cpu busy for a minute or more, and its feeds."""
    feeds = {"x": image(1, 16, 192, 160, mean=0.0)}
    weights = {"w": image(64, 16, 9, 9, mean=0.0)}
    convolution = node("Conv", "x w", "y", kernel_shape=[9, 9], pads=[4, 4, 4, 4])
    return graph([convolution], feeds, weights, outputs={"y": (1, 64, 192, 160)}), feeds


def worst_error(actual: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest |difference| over the largest |expected| or 1; infinite for another shape, NaN or Inf."""
    if actual.shape != expected.shape or not np.isfinite(actual).all():
        return float("inf")
    return float(np.abs(actual.astype(np.float64) - expected).max(initial=0) / np.abs(expected).max(initial=1))


def _value(name: str, array: np.ndarray):
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
