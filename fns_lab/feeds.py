"""Feeds: the arrays that a model is run on, by the names of its inputs."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from onnx import ModelProto, ValueInfoProto

from fns_lab import models
from fns_lab.errors import InputError

Shape = tuple[int | str, ...]
"""Size of each axis: a number, or the name of an axis that is free."""


def fit_feeds(model: ModelProto, feeds: Mapping[str, ArrayLike], *, by_position: bool = False) -> dict[str, np.ndarray]:
    """Return `feeds` as arrays in C order, in the order of the model's inputs, checked against what these declare.

    A declared size must be met exactly, 0 too. A size that is negative (other exporters write -1), named or not
    declared is free, but one name has one size in all inputs (ONNX IR specification, "Static tensor shapes"). An input
    of unknown rank takes any shape. With `by_position`, feeds under other names are taken in the order of the inputs.
    Raises `InputError` for an input that is missing, unknown, no tensor, or of another element type or shape.
    """
    inputs = models.fed_inputs(model)
    if by_position and feeds.keys() != inputs.keys():
        feeds = _renamed(feeds, list(inputs))
    for name in feeds:
        if name not in inputs:
            why = "takes no value for" if name in models.optional_inputs(model) else "has no"
            raise InputError(f"the model {why} input {name!r}; its inputs are {_listed(inputs)}")
    arrays = {name: _checked(value, feeds) for name, value in inputs.items()}
    _check_named_sizes({name: models.shape_of(value) for name, value in inputs.items()}, arrays)
    return arrays


def require_int32(feeds: Mapping[str, np.ndarray]) -> None:
    """Raise `InputError` if an int64 or uint64 array has a number that int32 cannot hold."""
    for name, array in feeds.items():
        if is_beyond_int32(array):
            raise InputError(f"input '{name}' has a value outside int32, which this engine cannot take")


def is_beyond_int32(array: np.ndarray) -> bool:
    """Return whether an array is int64 or uint64 and has a number that int32 cannot hold."""
    if array.dtype not in (np.int64, np.uint64) or not array.size:
        return False
    limits = np.iinfo(np.int32)
    return not limits.min <= int(array.min()) <= int(array.max()) <= limits.max


def draw_feeds(model: ModelProto, *, batch: int, size: int, seed: int = 0, scale: float = 1.0) -> dict[str, np.ndarray]:
    """Return random arrays of the types and shapes that the model's inputs declare.

    A free first dimension becomes `batch`, any other free one `size`; one name has one size. Floats are drawn around
    `scale` / 2, as far apart as `scale`. Numbers of 32 and 64 bits, which may be indices, are 0 or 1; smaller ones take
    any value. Raises `InputError` for an input of unknown rank or of a type that NumPy does not have.
    """
    rng, sizes = np.random.default_rng(seed), dict[str, int]()
    feeds = {}
    for name, value in models.fed_inputs(model).items():
        dtype, declared = models.dtype_of(value), models.shape_of(value)
        if declared == models.UNKNOWN_RANK:
            raise InputError(f"input {name!r} has no known rank")
        shape = []
        for axis, dimension in enumerate(declared):
            free = size if axis else batch
            if isinstance(dimension, str) and dimension != models.UNKNOWN_DIM:
                free = sizes.setdefault(dimension, free)
            shape.append(dimension if isinstance(dimension, int) else free)
        feeds[name] = drawn(rng, dtype, tuple(shape), scale)
    return feeds


def drawn(rng: np.random.Generator, dtype: np.dtype, shape: tuple[int, ...], scale: float = 1.0) -> np.ndarray:
    """Return a random array as `draw_feeds` does. Raises `InputError` for a type of which no values are drawn."""
    if dtype.kind == "f":
        return (scale * rng.normal(0.5, 1, shape)).astype(dtype)
    if dtype.kind in "iu" and dtype.itemsize < 4:
        limits = np.iinfo(dtype)
        return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    if dtype.kind in "biu":
        return rng.integers(0, 2, shape).astype(dtype)
    if dtype.kind == "O":
        return rng.choice(np.array(["a", "b"], object), shape)
    raise InputError(f"no values are drawn for inputs of type {dtype}")


def _renamed(feeds: Mapping[str, ArrayLike], names: list[str]) -> dict[str, ArrayLike]:
    if len(feeds) != len(names):
        inputs = "1 input" if len(names) == 1 else f"{len(names)} inputs"
        raise InputError(f"the model has {inputs} ({_listed(names)}), the feeds have {len(feeds)}: {_listed(feeds)}")
    return dict(zip(names, feeds.values(), strict=True))


def _checked(value: ValueInfoProto, feeds: Mapping[str, ArrayLike]) -> np.ndarray:
    name, dtype, declared = value.name, models.dtype_of(value), models.shape_of(value)
    if name not in feeds:
        raise InputError(f"input {name!r} ({dtype}) is missing from the feeds")
    array = np.asarray(feeds[name], order="C")
    if array.dtype != dtype:
        raise InputError(f"input {name!r} takes {dtype}, not {array.dtype}; convert it with .astype('{dtype}')")
    if not _fits(array.shape, declared):
        raise InputError(f"input {name!r} takes shape {_shape_text(declared)}, not {array.shape}")
    return array


def _fits(shape: tuple[int, ...], declared: Shape) -> bool:
    if declared == models.UNKNOWN_RANK:
        return True
    return len(shape) == len(declared) and all(
        isinstance(wanted, str) or wanted == size for wanted, size in zip(declared, shape, strict=True)
    )


def _check_named_sizes(declared: Mapping[str, Shape], arrays: Mapping[str, np.ndarray]) -> None:
    """Raise `InputError` unless a name that several dimensions bear has the same size in all of them."""
    first: dict[str, tuple[int, str]] = {}
    for name, array in arrays.items():
        if declared[name] == models.UNKNOWN_RANK:
            continue
        for dimension, size in zip(declared[name], array.shape, strict=True):
            if isinstance(dimension, int) or dimension == models.UNKNOWN_DIM:
                continue
            first_size, first_name = first.setdefault(dimension, (size, name))
            if size != first_size:
                raise InputError(
                    f"dimension {dimension!r} must have one size: it is {first_size} in input {first_name!r},"
                    f" {size} in input {name!r}"
                )


def _shape_text(declared: Shape) -> str:
    """Return `(1, 3, height, any)` for a declared shape, with the comma of Python for one dimension."""
    texts = ["any" if size == models.UNKNOWN_DIM else str(size) for size in declared]
    return f"({texts[0]},)" if len(texts) == 1 else f"({', '.join(texts)})"


def _listed(names: Mapping[str, object] | list[str]) -> str:
    return ", ".join(map(repr, names)) or "none"
