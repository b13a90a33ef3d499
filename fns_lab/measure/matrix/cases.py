"""ONNX's own node tests as cases for an engine: a small model, what to feed it, and what must come out.

A node test feeds every input, also what no network computes: the axes of a reduction, the weights of a convolution.
Older opsets write the first as attributes and engines look for the second among the constants, so a case holds them
the way a network does, as initializers (`_is_parameter`).
"""

from __future__ import annotations

import functools
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper

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
"""The same for names: a Dropout that drops."""


@dataclass(frozen=True)
class Case:
    """One node test. `op` is the op under test, also where the model spells it out in others (`_expanded`)."""

    name: str
    op: str
    model: ModelProto = field(repr=False)
    feeds: Mapping[str, np.ndarray] = field(repr=False)
    expected: Mapping[str, np.ndarray] = field(repr=False)

    @property
    def expanded(self) -> bool:
        """Whether the model is the op's definition in other ops rather than the op."""
        return "_expanded" in self.name


@functools.cache
def node_cases() -> tuple[Case, ...]:
    """Every node test of the installed onnx on ONNX's own ops that has a float32 tensor, in onnx's order.

    Left out: tensors of other types than `ELEMENT_TYPES`, sequences, optional values, `RANDOM` ops. Takes about six
    seconds, nearly all of them onnx computing what it expects.
    """
    tests = {test.name: test for test in _collected()}
    return tuple(_case(test, _op_under_test(test, tests)) for test in tests.values() if _is_taken(test))


def _collected() -> list:
    """onnx's tests, which are seeded; neither their warnings nor their seed reach the caller."""
    from onnx.backend.test.case.node import collect_testcases

    state = np.random.get_state()  # noqa: NPY002
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            return collect_testcases(None)
    finally:
        np.random.set_state(state)  # noqa: NPY002


def _is_taken(test) -> bool:
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
        and all(node.domain in ("", "ai.onnx") and node.op_type not in RANDOM for node in nodes)
    )


def _op_under_test(test, tests: Mapping) -> str:
    """Of an expanded test, the op of the test that it expands."""
    base = tests[re.sub(r"_expanded(_ver\d+)?$", "", test.name)]
    return base.model.graph.node[0].op_type


def _case(test, op: str) -> Case:
    inputs, outputs = test.data_sets[0]
    feeds, parameters = {}, {}
    for index, (value, array) in enumerate(zip(test.model.graph.input, inputs, strict=True)):
        array = _typed(value, array)
        (parameters if index and _is_parameter(op, array) else feeds)[value.name] = array
    expected = {v.name: _typed(v, array) for v, array in zip(test.model.graph.output, outputs, strict=True)}
    return Case(test.name, op, with_constants(test.model, parameters), feeds, expected)


def _is_parameter(op: str, array: np.ndarray) -> bool:
    """Whether an input after the first is one that a network holds as a constant: integers, scalars, weights, sizes."""
    return array.ndim == 0 or array.dtype.kind == "i" or op in WEIGHTED or op in SIZED


def _typed(value, array) -> np.ndarray:
    return np.asarray(array, helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type))


def with_constants(model: ModelProto, constants: Mapping[str, np.ndarray]) -> ModelProto:
    """A copy in which these inputs are initializers."""
    copied = ModelProto()
    copied.CopyFrom(model)
    inputs = [value for value in model.graph.input if value.name not in constants]
    del copied.graph.input[:]
    copied.graph.input.extend(inputs)
    copied.graph.initializer.extend(numpy_helper.from_array(array, name) for name, array in constants.items())
    return copied
