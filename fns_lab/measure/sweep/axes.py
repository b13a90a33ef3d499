"""The values that the axes of a sweep take, the simplest first, and the axes that follow from an op's schemas."""

from __future__ import annotations

import functools
from collections.abc import Hashable, Mapping

import numpy as np
import onnx
from onnx import TensorProto, helper

from fns_lab.measure.sweep.pairwise import Axes
from fns_lab.opset.schemas import schema
from fns_lab.targets import load
from fns_lab.targets.element_types import taken_types

FIRST_OPSET = 7
"""ONNX Runtime, whose results are the expected ones, runs no older opset."""
LAST_OPSET = 25
"""The latest opset at which nodes are drawn."""
LEFT_OUT = None
"""The value of an attribute or optional input that is not given."""

BATCH = (1, 2, 3, 0)
"""Values of the axis "batch"."""
CHANNELS = (1, 3, 4, 5, 6, 9, 12, 16, 17, 64, 65, 127, 128, 129, 130, 256)
"""Values of the axis "channels", around the numbers at which engines change their kernel."""
SIZES = ((5, 7), (1, 1), (8, 8), (2, 3), (1, 7), (7, 1), (13, 11), (33, 4))
"""Height and width. In more dimensions they take turns."""
IMAGES: Axes = {"batch": BATCH, "channels": CHANNELS, "size": SIZES}
"""Axes of what takes an image."""
KERNELS = ((1, 1), (3, 3), (2, 2), (3, 1), (1, 3), (5, 5), (4, 2), (1, 9), (7, 3), (9, 9), (6, 8))
"""Kernels, height and width."""
STRIDES = (LEFT_OUT, (1, 1), (2, 2), (1, 2), (2, 1), (3, 3))
"""Strides, height and width."""
DILATIONS = (LEFT_OUT, (1, 1), (2, 2), (1, 2), (3, 1))
"""Dilations, height and width."""
INPUTS = (2, 1, 3, 5, 40)
"""Inputs of a node that takes any number: also more than a GPU's program reads at once."""
PADDING = ("none", "both", "begin", "end", "uneven", "negative", "VALID", "SAME_UPPER", "SAME_LOWER", "NOTSET")
"""Kinds of padding: the words in capitals are values of `auto_pad`."""
TYPES = (
    "float32", "float16", "float64", "int32", "int64", "int8", "uint8", "int16", "uint16", "uint32", "uint64", "bool",
)  # fmt: skip
"""Element types, as NumPy calls them. Not bfloat16, which no runner takes as an input."""
FLOAT_VALUES = ("plain", "zeros", "far", "denormal", "infinite", "nan")
"""What is among the elements of a tensor."""
CONSTANTS = ("rest", "none", "first", "all")
"""Which inputs are initializers: those after the first, none, the first alone, or all; the others are fed."""
NONE_OR_ALL = ("none", "all")
"""The same for ops whose inputs are all data, or of which there is one."""
NOT_FIRST_ALONE = ("rest", "none", "all")
"""The same for ops whose first input alone is data."""

ATTRIBUTES: Mapping[str, tuple[Hashable, ...]] = {
    "alpha": (LEFT_OUT, 0.5, 2.0, -0.3, 0.0),
    "allowzero": (LEFT_OUT, 0, 1),
    "approximate": (LEFT_OUT, "none", "tanh"),
    "axis": (LEFT_OUT, -1, 0, 1, 2, -2, 3),
    "batch_dims": (LEFT_OUT, 0, 1),
    "beta": (LEFT_OUT, 0.25, 2.0, 0.0, -0.5),
    "bias": (LEFT_OUT, 2.0, 0.1, 0.0),
    "ceil_mode": (LEFT_OUT, 0, 1),
    "count_include_pad": (LEFT_OUT, 0, 1),
    "detect_negative": (LEFT_OUT, 0, 1),
    "detect_positive": (LEFT_OUT, 0, 1),
    "direction": (LEFT_OUT, "RIGHT", "LEFT"),
    "epsilon": (LEFT_OUT, 1e-3, 0.1, 0.0),
    "exclusive": (LEFT_OUT, 0, 1),
    "fmod": (LEFT_OUT, 0, 1),
    "gamma": (LEFT_OUT, 1.5, 0.0),
    "keepdims": (LEFT_OUT, 0, 1),
    "lambd": (LEFT_OUT, 0.2, 0.0),
    "momentum": (LEFT_OUT, 0.5),
    "noop_with_empty_axes": (LEFT_OUT, 0, 1),
    "p": (LEFT_OUT, 1, 2, 3),
    "reverse": (LEFT_OUT, 0, 1),
    "select_last_index": (LEFT_OUT, 0, 1),
    "size": (1, 3, 5, 2),
    "spatial": (LEFT_OUT, 1),
    "stash_type": (LEFT_OUT, 1),
    "storage_order": (LEFT_OUT, 0, 1),
    "threshold": (LEFT_OUT, 1.5),
    "training_mode": (LEFT_OUT, 0, 1),
    "transA": (LEFT_OUT, 0, 1),
    "transB": (LEFT_OUT, 0, 1),
}
"""By attribute, whatever the op, the values that are drawn; an attribute that is not here has its own axis or none."""


def opsets(op: str) -> tuple[int, ...]:
    """Return one opset for each schema of `op` that a model of `FIRST_OPSET` to `LAST_OPSET` can mean."""
    newest: dict[int, int] = {}
    for opset in range(FIRST_OPSET, LAST_OPSET + 1):
        if found := schema(op, opset):
            newest.setdefault(found.since_version, opset)
    return tuple(sorted(newest.values(), reverse=True))


def schemas(op: str) -> list[onnx.defs.OpSchema]:
    """Return the schemas of `op` at these opsets."""
    return [found for opset in opsets(op) if (found := schema(op, opset))]


@functools.cache
def types_of(op: str) -> tuple[str, ...]:
    """Return those of `TYPES` that ONNX Runtime takes as the data of `op`; of others there are no expected outputs."""
    taken = frozenset[str]().union(*(taken_types(op, load("ort/cpu"), opset) for opset in opsets(op)))
    return tuple(name for name in TYPES if type_name(name) in taken)


def type_name(numpy_name: str) -> str:
    """Return ONNX's name of an element type, such as `FLOAT`, from NumPy's."""
    return str(TensorProto.DataType.Name(helper.np_dtype_to_tensor_dtype(np.dtype(numpy_name))))


def attribute_axes(op: str, without: frozenset[str]) -> Axes:
    """Return an axis for each attribute that any opset of `op` has, except for those in `without`."""
    names = sorted({name for found in schemas(op) for name in found.attributes} - without)
    return {f"attribute {name}": ATTRIBUTES[name] for name in names if name in ATTRIBUTES}
