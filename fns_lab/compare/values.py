"""Every value of a model, collected from an engine that gives only graph outputs."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import onnx

from fns_lab import models

Values = dict[str, np.ndarray]
Run = Callable[[onnx.ModelProto, Mapping[str, np.ndarray]], Mapping[str, np.ndarray]]
"""Runs a model once in some engine: `run(model, feeds)` gives its graph outputs by name."""

CHUNK_BYTES = 64 * 2**20
"""Most bytes asked of an engine in one run. A page holds a tensor about four times over on its way out (the engine's
heap, a copy, its text form, the message), and 4 x 64 MiB is far below the 4 GiB of a wasm heap; a network at
128 x 128 still needs three runs at most, each of which costs a new session."""


def collect(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray], run: Run) -> Values:
    """Every float value that a node of `model` computes from `feeds`, by name, in the order of the graph.

    Values become outputs in chunks of at most `CHUNK_BYTES`, one `run` each; a value whose size is not known before
    the run has a chunk of its own. Values that are no floats (shapes, indices) are left out; `compare` counts them.
    Raises `RuntimeError` when the engine does not return a value that was asked for.
    """
    pinned = with_input_shapes(model, feeds)
    sizes = {value.name: _size_bytes(value) for value in models.with_outputs(pinned).graph.output}
    found: Values = {}
    for names in _chunks(sizes):
        returned = run(models.with_outputs(pinned, names), feeds)
        lost = [name for name in names if name not in returned]
        if lost:
            raise RuntimeError(f"the engine returned {len(returned)} values but not {lost[0]!r}, which is an output")
        found |= {name: np.asarray(returned[name]) for name in names}
    order = [value for node in model.graph.node for value in node.output]
    return {name: found[name] for name in [*order, *found] if name in found}


def with_input_shapes(model: onnx.ModelProto, feeds: Mapping[str, np.ndarray]) -> onnx.ModelProto:
    """A copy whose free input sides are those of `feeds`; shapes that were written for free sides are inferred anew."""
    if all(_fixed(value) for value in model.graph.input):
        return model
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    for value in copy.graph.input:
        if value.name in feeds and not _fixed(value):
            sides = [onnx.TensorShapeProto.Dimension(dim_value=side) for side in feeds[value.name].shape]
            value.type.tensor_type.shape.CopyFrom(onnx.TensorShapeProto(dim=sides))
    for value in copy.graph.output:
        value.type.tensor_type.ClearField("shape")
    return models.infer_shapes(copy)


def _fixed(value: onnx.ValueInfoProto) -> bool:
    tensor = value.type.tensor_type
    return tensor.HasField("shape") and all(dim.HasField("dim_value") for dim in tensor.shape.dim)


def _size_bytes(value: onnx.ValueInfoProto) -> int:
    tensor = value.type.tensor_type
    if tensor.elem_type == onnx.TensorProto.UNDEFINED or not _fixed(value):
        return CHUNK_BYTES
    itemsize = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).itemsize
    return itemsize * math.prod(dim.dim_value for dim in tensor.shape.dim)


def _chunks(sizes: Mapping[str, int]) -> Iterator[Sequence[str]]:
    chunk: list[str] = []
    room = CHUNK_BYTES
    for name, size in sizes.items():
        if chunk and size > room:
            yield chunk
            chunk, room = [], CHUNK_BYTES
        chunk.append(name)
        room -= size
    if chunk:
        yield chunk
