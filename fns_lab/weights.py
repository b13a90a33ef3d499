"""Weights that lie outside a model's file, as those of a model over 2 GB must: read where they are, never copied.

In memory such a tensor is an `onnx.TensorProto` with the absolute path of its file, its place in it and its length;
what needs the numbers maps the file into memory.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

from fns_lab.errors import InputError
from fns_lab.files import atomic_write

LARGEST_INSIDE = 2**30
"""Most bytes of external weights that are read into the model; beyond, they stay outside."""

LARGEST_MESSAGE = 2**31 - 1
"""Protobuf's limit for one message, in bytes."""

ALIGNMENT = 4096
"""Each tensor in a file of weights begins at a multiple of this, so that it can be mapped into memory."""

SMALLEST_OUTSIDE = 1024
"""Tensors of fewer bytes stay in the model, such as the shapes that engines read when they load it."""

DATA_SUFFIX = ".data"
"""Added to the name of a model's file, the name of the file of its weights."""


def are_outside(model: ModelProto) -> bool:
    """Return whether any weight of the model's graph lies in another file."""
    return any(_is_outside(tensor) for tensor in model.graph.initializer)


def size_bytes(model: ModelProto) -> int:
    """Return the bytes of the weights that lie outside."""
    return sum(_place(tensor)[2] for tensor in model.graph.initializer if _is_outside(tensor))


def locate(model: ModelProto, folder: Path) -> None:
    """In place: give each weight that lies outside the absolute path of its file.

    Raises `InputError` for a file that is not in the model's folder or below it, is missing or no plain file, and for a
    tensor that is not whole.
    """
    folder = folder.resolve()
    for tensor in filter(_is_outside, model.graph.initializer):
        location, offset, length = _place(tensor)
        path = (folder / PurePosixPath(location)).resolve()
        if not path.is_relative_to(folder):
            raise InputError(f"the weights of {tensor.name!r} are outside the model's folder, in {location!r}")
        if not path.is_file():
            raise InputError(f"the weights of {tensor.name!r} are missing: no file {location!r}")
        if length != expected_bytes(tensor) or offset < 0 or offset + length > path.stat().st_size:
            raise InputError(f"the weights of {tensor.name!r} are not whole in {location!r}")
        _set_place(tensor, str(path), offset, length)


def array(tensor: TensorProto) -> np.ndarray:
    """Return a tensor's numbers: mapped from its file if they lie outside, read-only."""
    if not _is_outside(tensor):
        return numpy_helper.to_array(tensor)
    location, offset, length = _place(tensor)
    shape, dtype = tuple(tensor.dims), helper.tensor_dtype_to_np_dtype(tensor.data_type)
    if not length:
        return np.empty(shape, dtype)
    if dtype.itemsize * math.prod(shape) != length:  # types of less than a byte are packed
        return numpy_helper.to_array(_inside(tensor))
    return np.memmap(location, dtype, "r", offset, shape)


def inside(model: ModelProto) -> ModelProto:
    """Return the model with all weights inside, itself if they are. Raises `InputError` if it is then over 2 GB."""
    if not are_outside(model):
        return model
    if size_bytes(model) + model.ByteSize() > LARGEST_MESSAGE:
        raise InputError(
            "the model is over 2 GB: only ONNX Runtime (ort/cpu) runs it, other engines take it in one piece"
        )
    result = ModelProto()
    result.CopyFrom(model)
    for tensor in filter(_is_outside, result.graph.initializer):
        tensor.CopyFrom(_inside(tensor))
    return result


def save_outside(model: ModelProto, path: Path) -> None:
    """Write a model to `path` and its weights beside it, to `path` + `DATA_SUFFIX`, one tensor at a time."""
    data = path.with_name(path.name + DATA_SUFFIX)
    small = ModelProto()
    small.CopyFrom(model)
    with atomic_write(path) as temporary, atomic_write(data) as weights:
        with weights.open("wb") as stream:
            for tensor in small.graph.initializer:
                numbers = _bytes(tensor)
                if len(numbers) < SMALLEST_OUTSIDE:
                    tensor.CopyFrom(_inside(tensor) if _is_outside(tensor) else tensor)
                    continue
                stream.write(bytes(-stream.tell() % ALIGNMENT))
                _set_place(tensor, data.name, stream.tell(), len(numbers))
                stream.write(numbers)
        temporary.write_bytes(small.SerializeToString())


def mapped(model: ModelProto) -> Iterator[tuple[str, np.ndarray]]:
    """Yield name and numbers of each weight that lies outside, mapped into memory."""
    for tensor in filter(_is_outside, model.graph.initializer):
        yield tensor.name, array(tensor)


def _is_outside(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL


def _place(tensor: TensorProto) -> tuple[str, int, int]:
    """Return file, first byte and number of bytes of a weight. Raises `InputError` for entries that are no numbers."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    try:
        return (
            entries["location"],
            int(entries.get("offset") or 0),
            int(entries.get("length") or expected_bytes(tensor)),
        )
    except (KeyError, ValueError):
        raise InputError(f"where the weights of {tensor.name!r} are is not said") from None


def expected_bytes(tensor: TensorProto) -> int:
    """Return how many bytes the numbers of a tensor of this type and shape take, packed."""
    packed = _PACKED.fullmatch(TensorProto.DataType.Name(tensor.data_type))
    bits = int(packed[1]) if packed else 8 * int(helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize)
    return -(-int(math.prod(tensor.dims)) * bits // 8)


_PACKED = re.compile(r"(?:U?INT|FLOAT)([246])(?:E\dM\d)?")
"""Types of less than a byte, such as INT4 and FLOAT6E2M3."""


def _set_place(tensor: TensorProto, location: str, offset: int, length: int) -> None:
    for field in ("raw_data", "float_data", "int32_data", "int64_data", "double_data", "uint64_data"):
        tensor.ClearField(field)
    tensor.data_location = TensorProto.EXTERNAL
    del tensor.external_data[:]
    for key, value in (("location", location), ("offset", offset), ("length", length)):
        tensor.external_data.add(key=key, value=str(value))


def _bytes(tensor: TensorProto) -> bytes | memoryview:
    """Return a tensor's numbers as they lie in a file."""
    if _is_outside(tensor):
        location, offset, length = _place(tensor)
        return np.memmap(location, np.uint8, "r", offset, (length,)).data if length else b""
    return tensor.raw_data or numpy_helper.from_array(numpy_helper.to_array(tensor)).raw_data


def _inside(tensor: TensorProto) -> TensorProto:
    result = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims, doc_string=tensor.doc_string)
    result.raw_data = bytes(_bytes(tensor))
    return result
