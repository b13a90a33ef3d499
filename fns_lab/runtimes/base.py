"""What every runner shares: leaving the `with` block closes it, and feeds are looked at before the engine sees them."""

from __future__ import annotations

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper

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


def true_inputs(model: ModelProto) -> dict[str, ValueInfoProto]:
    """The inputs that must be fed: initializers that are listed as inputs too (IR 3) are left out."""
    initializers = {tensor.name for tensor in model.graph.initializer}
    return {value.name: value for value in model.graph.input if value.name not in initializers}


def output_dtypes(model: ModelProto) -> dict[str, np.dtype]:
    """Element type of each graph output, in the model's order."""
    return {value.name: _dtype(value) for value in model.graph.output}


def checked_feeds(model: ModelProto, feeds: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`feeds` in C order. InputError names the first input that is missing, unknown, of another type or shape.

    The shape is looked at here since ONNX.js, fed with a wrong one, takes it for the right one from then on.
    """
    inputs = true_inputs(model)
    for name in feeds:
        if name not in inputs:
            raise InputError(f"the model has no input '{name}'; its inputs are {', '.join(map(repr, inputs))}")
    return {name: _checked(value, feeds) for name, value in inputs.items()}


def _checked(value: ValueInfoProto, feeds: dict[str, np.ndarray]) -> np.ndarray:
    name, dtype, sides = value.name, _dtype(value), _sides(value)
    if name not in feeds:
        raise InputError(f"input '{name}' ({dtype}) is missing from the feeds")
    array = np.asarray(feeds[name], order="C")
    if array.dtype != dtype:
        raise InputError(f"input '{name}' takes {dtype}, not {array.dtype}; convert it with .astype('{dtype}')")
    if sides is not None and not _fits(array.shape, sides):
        wanted = "(" + ", ".join(str(side or "any") for side in sides) + ")"
        raise InputError(f"input '{name}' takes shape {wanted}, not {array.shape}")
    return array


def _sides(value: ValueInfoProto) -> list[int | None] | None:
    """Declared sides, None for one that may vary; None for a shape that is not declared at all."""
    tensor = value.type.tensor_type
    return [side.dim_value or None for side in tensor.shape.dim] if tensor.HasField("shape") else None


def _fits(shape: tuple[int, ...], sides: list[int | None]) -> bool:
    return len(shape) == len(sides) and all(wanted in (None, given) for given, wanted in zip(shape, sides, strict=True))


def _dtype(value: ValueInfoProto) -> np.dtype:
    elem_type = value.type.tensor_type.elem_type
    if elem_type == TensorProto.UNDEFINED:
        raise InputError(f"'{value.name}' has no tensor element type")
    return np.dtype(helper.tensor_dtype_to_np_dtype(elem_type))
