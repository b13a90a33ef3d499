"""What every runner shares: leaving the `with` block closes it, and feeds are looked at before the engine sees them."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, helper

from fns_lab.errors import InputError


class ClosingRunner:
    """Context manager half of a runner; `infer` and `close` are the subclass's."""

    ms: float = float("nan")
    create_ms: float = float("nan")

    def __enter__(self):
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Nothing to free unless the subclass says so."""


def model_label(model: ModelProto) -> str:
    """How a fault names a model: its graph's name and its size."""
    return f"model '{model.graph.name or 'unnamed'}' ({len(model.graph.node)} nodes)"


def input_dtypes(model: ModelProto) -> dict[str, np.dtype]:
    """Element type of each true input; initializers that are listed as inputs too (IR 3) are left out."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    return {value.name: _dtype(value) for value in model.graph.input if value.name not in initializers}


def output_dtypes(model: ModelProto) -> dict[str, np.dtype]:
    """Element type of each graph output, in the model's order."""
    return {value.name: _dtype(value) for value in model.graph.output}


def checked_feeds(model: ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`feeds` as contiguous arrays. InputError names the first input that is missing, unknown or of another type."""
    wanted = input_dtypes(model)
    for name in feeds:
        if name not in wanted:
            raise InputError(f"the model has no input '{name}'; its inputs are {', '.join(map(repr, wanted))}")
    checked = {}
    for name, dtype in wanted.items():
        if name not in feeds:
            raise InputError(f"input '{name}' ({dtype}) is missing from the feeds")
        array = np.ascontiguousarray(feeds[name])
        if array.dtype != dtype:
            raise InputError(f"input '{name}' takes {dtype}, not {array.dtype}; convert it with .astype('{dtype}')")
        checked[name] = array.reshape(np.shape(feeds[name]))
    return checked


def _dtype(value) -> np.dtype:
    elem_type = value.type.tensor_type.elem_type
    if elem_type == TensorProto.UNDEFINED:
        raise InputError(f"'{value.name}' has no tensor element type")
    return np.dtype(helper.tensor_dtype_to_np_dtype(elem_type))
