"""Random models in other element types than float32: what `lower` writes for them loads, or the rule refuses."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from fns_lab.rewrite.lower import lower
from fns_lab.targets import Target
from tests.random_models.draw import input_shape
from tests.random_models.run import run

TYPES = {
    "float16": TensorProto.FLOAT16,
    "double": TensorProto.DOUBLE,
    "bfloat16": TensorProto.BFLOAT16,
    "int32": TensorProto.INT32,
    "int64": TensorProto.INT64,
    "uint8": TensorProto.UINT8,
}
RELATIVE = {"float16": 4e-3, "bfloat16": 3e-2, "double": 1e-9}
"""Largest error relative to the largest value: of any rule in 16 bits, since ONNX Runtime computes many ops on them in
float32 and rounds where it likes, and of rules that are not exact in double."""


def in_type(model: onnx.ModelProto, name: str) -> onnx.ModelProto | None:
    """Return the model with every float32 value in another type, None if its nodes do not take that type."""
    typed = onnx.ModelProto.FromString(model.SerializeToString())
    del typed.graph.value_info[:]
    for value in (*typed.graph.input, *typed.graph.output):
        if value.type.tensor_type.elem_type == TensorProto.FLOAT:
            value.type.tensor_type.elem_type = TYPES[name]
    for tensor in typed.graph.initializer:
        if tensor.data_type == TensorProto.FLOAT and not _is_always_float32(typed, tensor.name):
            with np.errstate(over="ignore", invalid="ignore"):
                array = numpy_helper.to_array(tensor).astype(_dtype(name))
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    try:
        onnx.checker.check_model(typed, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    return typed


def _is_always_float32(model: onnx.ModelProto, name: str) -> bool:
    return any(node.op_type in ("Resize", "Upsample") and name in node.input[1:] for node in model.graph.node)


def _dtype(name: str) -> np.dtype:
    return np.dtype(onnx.helper.tensor_dtype_to_np_dtype(TYPES[name]))


def check_in_type(model: onnx.ModelProto, target: Target, name: str) -> bool:
    """Lower a model of this element type and return whether a rule rewrote it.

    Raises `AssertionError` if what was written is no valid model, or gives other outputs than the original in ONNX
    Runtime, where that has kernels of this type for both.
    """
    lowered = lower(model, target)
    rewritten = not set(lowered.applied.rule) <= {"opset"}
    if not rewritten:
        return False
    onnx.checker.check_model(lowered.model, full_check=True)
    x = np.random.default_rng(7).normal(3, 2, input_shape(model))
    expected, actual = _run_in_double(model, x), _run_in_double(lowered.model, x)
    if expected is None or actual is None:
        return True
    exact = name == "double" and set(lowered.applied.fidelity) == {"exact"}
    for old, new in zip(expected, actual, strict=True):
        limit = 0 if exact else RELATIVE.get(name, 0) * np.abs(old).max(initial=0)
        np.testing.assert_allclose(new, old, rtol=0, atol=limit)
    return True


def _run_in_double(model: onnx.ModelProto, x: np.ndarray) -> list[np.ndarray] | None:
    """Run a model that takes and returns doubles through Casts, since numpy has no bfloat16; None without kernels."""
    from onnxruntime.capi.onnxruntime_pybind11_state import NotImplemented as NoKernel

    cast = onnx.ModelProto.FromString(model.SerializeToString())
    graph = cast.graph
    to = graph.input[0].type.tensor_type.elem_type
    nodes = [helper.make_node("Cast", ["x"], ["x.typed"], to=to)]
    for node in graph.node:
        inputs = ["x.typed" if name == "x" else name for name in node.input]
        del node.input[:]
        node.input.extend(inputs)
    outputs = [output.name for output in graph.output]
    last = [helper.make_node("Cast", [name], [f"{name}.double"], to=TensorProto.DOUBLE) for name in outputs]
    nodes += [*graph.node, *last]
    del graph.node[:], graph.output[:], graph.value_info[:]
    graph.node.extend(nodes)
    graph.input[0].type.tensor_type.elem_type = TensorProto.DOUBLE
    graph.output.extend(helper.make_tensor_value_info(f"{n}.double", TensorProto.DOUBLE, None) for n in outputs)
    try:
        return run(cast, x)
    except NoKernel:
        return None
