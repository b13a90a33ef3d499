"""ONNX's own node tests as cases for an engine: a small model, what to feed it, and the expected outputs.

A node test feeds every input, also those that no network computes, such as the axes of a reduction or the weights of a
convolution. Older opsets write axes as attributes, and engines expect weights to be constants. So a case holds them as
a network does, as initializers (`_is_parameter`).
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from onnx import ModelProto, TensorProto, ValueInfoProto, helper, numpy_helper

from fns_lab import models

ELEMENT_TYPES = frozenset({TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64, TensorProto.BOOL})
"""What may go in and out of a case; at least one of its tensors is float32."""

WEIGHTED = frozenset({
    "BatchNormalization", "Conv", "ConvTranspose", "DeformConv", "GRU", "GroupNormalization", "InstanceNormalization",
    "LSTM", "LayerNormalization", "PRelu", "RMSNormalization", "RNN",
})  # fmt: skip
"""Ops whose inputs after the first are weights."""

SIZED = frozenset({"Resize", "Upsample"})
"""Ops whose float inputs after the first are sizes."""

RANDOM = frozenset({"Bernoulli", "RandomNormalLike", "RandomUniformLike"})
"""Ops whose expected outputs are one draw of many."""

RANDOM_NAME = re.compile(r"test_training_dropout(_default)?(_mask)?")
"""Names of further tests of that kind: a Dropout in training mode."""


@dataclass(frozen=True)
class Case:
    """One node test: a model, what to feed it and the expected outputs.

    `op` is the op under test, also where the model is the op's definition in other ops (`_expanded`). `elementwise`:
    whether each element of the outputs may be off by a share of its own size alone, not of the range of all.
    """

    name: str
    op: str
    model: ModelProto = field(repr=False)
    feeds: Mapping[str, np.ndarray] = field(repr=False)
    expected: Mapping[str, np.ndarray] = field(repr=False)
    elementwise: bool = False


@functools.cache
def node_cases() -> tuple[Case, ...]:
    """Return every node test of the installed onnx on ONNX's own ops that has a float32 tensor, in onnx's order.

    Left out: tensors of other types than `ELEMENT_TYPES`, sequences, optional values, `RANDOM` ops. Takes about six
    seconds, nearly all of them for onnx to compute the expected outputs.
    """
    tests = {test.name: test for test in _collected()}
    return tuple(_case(test, _op_under_test(test, tests)) for test in tests.values() if _is_taken(test))


class _NodeTest(NamedTuple):
    """One of onnx's node tests, with its first data set."""

    name: str
    model: ModelProto
    inputs: Sequence[object]
    outputs: Sequence[object]


def _collected() -> list[_NodeTest]:
    """Return onnx's tests. They are seeded; the caller's random state stays as it was, and no warning is shown."""
    from onnx.backend.test.case.node import collect_testcases

    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            tests = collect_testcases(None)
    finally:
        np.random.set_state(state)  # noqa: NPY002
    return [_NodeTest(t.name, t.model, *t.data_sets[0]) for t in tests if t.model and t.data_sets]


def _is_taken(test: _NodeTest) -> bool:
    model = test.model
    types = [
        value.type.tensor_type.elem_type if value.type.HasField("tensor_type") else None
        for value in (*model.graph.input, *model.graph.output)
    ]
    nodes = list(models.walk(model.graph))
    return (
        not RANDOM_NAME.fullmatch(test.name)
        and ELEMENT_TYPES.issuperset(types)
        and TensorProto.FLOAT in types
        and all(node.domain in models.ONNX_DOMAINS and node.op_type not in RANDOM for node in nodes)
    )


def _op_under_test(test: _NodeTest, tests: Mapping[str, _NodeTest]) -> str:
    """Return the op of a test; for an expanded test, that of the test that it expands."""
    base = tests[re.sub(r"_expanded(_ver\d+)?$", "", test.name)]
    return str(base.model.graph.node[0].op_type)


def _case(test: _NodeTest, op: str) -> Case:
    feeds: dict[str, np.ndarray] = {}
    parameters: dict[str, np.ndarray] = {}
    for index, (value, given) in enumerate(zip(test.model.graph.input, test.inputs, strict=True)):
        array = _typed(value, given)
        (parameters if index and _is_parameter(op, array) else feeds)[value.name] = array
    expected = {v.name: _typed(v, array) for v, array in zip(test.model.graph.output, test.outputs, strict=True)}
    return Case(test.name, op, with_constants(test.model, parameters), feeds, expected)


def _is_parameter(op: str, array: np.ndarray) -> bool:
    """Return whether a network holds an input after the first as a constant: integers, scalars, weights, sizes."""
    return array.ndim == 0 or array.dtype.kind == "i" or op in WEIGHTED or op in SIZED


def _typed(value: ValueInfoProto, array: object) -> np.ndarray:
    return np.asarray(array, helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def with_constants(model: ModelProto, constants: Mapping[str, np.ndarray]) -> ModelProto:
    """Return a copy in which these inputs are initializers."""
    copied = ModelProto()
    copied.CopyFrom(model)
    inputs = [value for value in model.graph.input if value.name not in constants]
    del copied.graph.input[:]
    copied.graph.input.extend(inputs)
    copied.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    return copied
