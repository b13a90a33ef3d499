"""Small models of one op and one element type, for `op_types`."""

from __future__ import annotations

import dataclasses
import functools
import logging
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, defs, helper, numpy_helper

from fns_lab import models, targets
from fns_lab.rewrite.lower import lower
from fns_lab.targets.element_types import data_parameter

TYPES = (
    "FLOAT", "FLOAT16", "DOUBLE", "BFLOAT16",
    "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "BOOL",
)  # fmt: skip
"""The element types that are measured, as ONNX names them."""

WRITTEN_AT = 18
"""Opset at which `CASES` are written; those of newer ops are written at the op's own first opset."""
OLDEST = 7
"""Oldest opset that is measured."""
BEYOND_FLOAT32 = 2**24 + 1
"""An integer that float32 cannot hold; one of the values of every wide integer tensor."""


class X(NamedTuple):
    """An input of the element type under test; `range` limits its values, `wide` adds `BEYOND_FLOAT32`."""

    shape: tuple[int, ...]
    low: int = -4
    high: int = 4
    wide: bool = True
    constant: bool = False


Argument = X | np.ndarray | None
"""An input of a case: one to draw, a constant, or one that is left out."""


class OpCase(NamedTuple):
    """One way to use an op: arrays are constant inputs of their own type."""

    op: str
    inputs: Sequence[Argument]
    attributes: Mapping[str, Any] = {}
    outputs: int = 1
    floats_only: bool = False
    """Whether integers are left out, since ONNX does not say how they are rounded."""


def _ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


IMAGE = X((1, 2, 4, 6))
"""An image of two channels."""
SMALL = IMAGE._replace(wide=False)
"""The same with values that stay small."""
ABOVE_0 = SMALL._replace(low=1)
"""The same with values above 0."""
FLAT = X((3, 4))
"""A matrix."""
UNIT = FLAT._replace(low=0, high=1, wide=False)
"""A matrix of values from 0 to 1."""
WEIGHT = X((2, 2, 3, 3), wide=False, constant=True)
"""Weights of a convolution from two channels to two."""
POSITIVE = X((2,), 1, 3, wide=False, constant=True)
"""One value above 0 per channel."""
PAIR = (IMAGE, X((1, 2, 4, 6)))
"""Two images."""
BY_SMALL = (IMAGE, X((1, 2, 4, 6), 1, 3, wide=False))
"""An image, and one by which it can be divided."""
MASK = np.array([[True, False, True, False]])
"""Which of four elements are taken."""

UNARY = (
    "Abs", "Neg", "Sign", "Relu", "Ceil", "Floor", "Round", "Reciprocal", "Sqrt", "Exp", "Log", "Sigmoid", "Tanh",
    "Erf", "Sin", "Cos", "Tan", "Sinh", "Cosh", "Asinh", "Atan", "Elu", "Selu", "LeakyRelu", "ThresholdedRelu", "Celu",
    "Softplus", "Softsign", "HardSigmoid", "HardSwish", "Mish", "Gelu", "IsNaN", "IsInf", "BitwiseNot", "Not",
    "Identity",
)  # fmt: skip
"""Ops of one input, element by element."""
REDUCED = (
    "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean", "ReduceMin", "ReduceProd",
    "ReduceSum", "ReduceSumSquare",
)  # fmt: skip
"""Reductions."""
WIDE_UNARY = frozenset({"Abs", "Neg", "Sign", "Relu", "BitwiseNot", "Identity"})
"""Ops of `UNARY` whose result stays in the type's range whatever the input."""
OF_POSITIVE = frozenset({"Log", "Sqrt", "Reciprocal"})
"""Ops of `UNARY` that take numbers above 0."""
MOVES = frozenset({"ReduceMax", "ReduceMin"})
"""Reductions whose result is one of their inputs."""

CASES: tuple[OpCase, ...] = (
    *(OpCase(op, [IMAGE if op in WIDE_UNARY else ABOVE_0 if op in OF_POSITIVE else SMALL]) for op in UNARY),
    *(OpCase(op, [UNIT]) for op in ("Asin", "Acos", "Atanh")),
    OpCase("Acosh", [FLAT._replace(low=1, wide=False)]),
    *(OpCase(op, PAIR) for op in ("Add", "Sub", "Max", "Min", "Sum", "Equal", "Less", "Greater", "LessOrEqual")),
    *(OpCase(op, PAIR) for op in ("GreaterOrEqual", "And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor")),
    OpCase("Mean", [SMALL, SMALL]),
    *(OpCase(op, BY_SMALL) for op in ("Mul", "Div")),
    OpCase("Pow", [ABOVE_0, X((1, 2, 4, 6), 1, 3, wide=False)]),
    OpCase("Mod", BY_SMALL, {"fmod": 1}),
    OpCase("BitShift", [SMALL, X((1, 2, 4, 6), 0, 3, wide=False)], {"direction": "LEFT"}),
    OpCase("PRelu", [SMALL, X((2, 1, 1), wide=False, constant=True)]),
    OpCase("Where", [MASK, FLAT, FLAT]),
    OpCase("Clip", [IMAGE, X((), 1, 1, False, constant=True), X((), 3, 3, False, constant=True)]),
    OpCase("Conv", [SMALL, WEIGHT], {"pads": [1, 1, 1, 1]}),
    OpCase("ConvTranspose", [SMALL, WEIGHT]),
    OpCase("MaxPool", [IMAGE], {"kernel_shape": [2, 2]}),
    OpCase("AveragePool", [SMALL], {"kernel_shape": [2, 2]}),
    OpCase("LpPool", [SMALL], {"kernel_shape": [2, 2]}),
    OpCase("GlobalAveragePool", [SMALL]),
    OpCase("GlobalMaxPool", [IMAGE]),
    OpCase("MatMul", [FLAT._replace(wide=False), X((4, 5), wide=False)]),
    OpCase("Gemm", [FLAT._replace(wide=False), X((4, 5), wide=False, constant=True), X((5,), constant=True)]),
    OpCase("Einsum", [FLAT._replace(wide=False), X((4, 5), wide=False)], {"equation": "ij,jk->ik"}),
    OpCase("BatchNormalization", [SMALL, POSITIVE, POSITIVE, POSITIVE, POSITIVE]),
    OpCase("InstanceNormalization", [SMALL, POSITIVE, POSITIVE]),
    OpCase("LayerNormalization", [SMALL, X((6,), 1, 3, False, True), X((6,), 1, 3, False, True)]),
    OpCase("LpNormalization", [SMALL]),
    OpCase("LRN", [SMALL], {"size": 3}),
    *(OpCase(op, [IMAGE if op in MOVES else ABOVE_0, _ints(2, 3)], {"keepdims": 1}) for op in REDUCED),
    OpCase("Pad", [IMAGE, _ints(0, 0, 1, 1, 0, 0, 1, 2)]),
    OpCase("Pad", [IMAGE, _ints(0, 0, 1, 1, 0, 0, 1, 2)], {"mode": "reflect"}),
    OpCase("Slice", [IMAGE, _ints(1, 1), _ints(4, 6), _ints(2, 3)]),
    OpCase("Gather", [FLAT, _ints(3, 0, 1)], {"axis": 1}),
    OpCase("GatherElements", [FLAT, np.array([[2, 0, 1, 0]])]),
    OpCase("GatherND", [FLAT, np.array([[2, 0], [1, 3]])]),
    OpCase("ScatterElements", [FLAT, np.array([[2, 0, 1, 0]]), X((1, 4))]),
    OpCase("ScatterND", [FLAT, np.array([[2, 0], [1, 3]]), X((2,))]),
    OpCase("Compress", [FLAT, np.array([True, False, True])], {"axis": 0}),
    OpCase("Concat", [IMAGE, IMAGE], {"axis": 1}),
    OpCase("Split", [FLAT, _ints(1, 3)], {"axis": 1}, 2),
    OpCase("Transpose", [IMAGE], {"perm": [0, 2, 3, 1]}),
    OpCase("Reshape", [IMAGE, _ints(4, 12)]),
    OpCase("Flatten", [IMAGE]),
    OpCase("Squeeze", [IMAGE, _ints(0)]),
    OpCase("Unsqueeze", [IMAGE, _ints(0)]),
    OpCase("Expand", [X((3, 1)), _ints(3, 4)]),
    OpCase("Tile", [FLAT, _ints(2, 1)]),
    OpCase("Resize", [IMAGE, None, np.array([1, 1, 2, 2], np.float32)], {
        "mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor",
    }),
    OpCase("Resize", [SMALL, None, np.array([1, 1, 2, 2], np.float32)], {
        "mode": "linear", "coordinate_transformation_mode": "asymmetric",
    }, floats_only=True),
    OpCase("DepthToSpace", [X((1, 4, 2, 3))], {"blocksize": 2}),
    OpCase("SpaceToDepth", [IMAGE], {"blocksize": 2}),
    OpCase("Softmax", [FLAT._replace(wide=False)], {"axis": 1}),
    OpCase("LogSoftmax", [FLAT._replace(wide=False)], {"axis": 1}),
    OpCase("Hardmax", [FLAT._replace(wide=False)], {"axis": 1}),
    OpCase("ArgMax", [FLAT], {"axis": 1, "keepdims": 1}),
    OpCase("ArgMin", [FLAT], {"axis": 1, "keepdims": 1}),
    OpCase("TopK", [FLAT, _ints(2)], {"axis": 1}, 2),
    OpCase("CumSum", [FLAT, np.array(1)]),
    OpCase("Trilu", [FLAT]),
    OpCase("NonZero", [FLAT]),
    OpCase("EyeLike", [FLAT], {"k": 1}),
    OpCase("OneHot", [X((3,), 0, 3, wide=False), np.array(4), np.array([0, 1], np.float32)]),
    OpCase("ReverseSequence", [X((3, 4)), _ints(1, 2, 3, 1)]),
    OpCase("Dropout", [IMAGE]),
    OpCase("Shape", [IMAGE]),
    OpCase("Size", [IMAGE]),
    OpCase("Cast", [SMALL], {"to": TensorProto.FLOAT}),
    OpCase("LSTM", [X((2, 1, 3), wide=False), X((1, 8, 3), -1, 1, False, True), X((1, 8, 2), -1, 1, False, True)],
           {"hidden_size": 2}),
    OpCase("GRU", [X((2, 1, 3), wide=False), X((1, 6, 3), -1, 1, False, True), X((1, 6, 2), -1, 1, False, True)],
           {"hidden_size": 2}),
    OpCase("RNN", [X((2, 1, 3), wide=False), X((1, 2, 3), -1, 1, False, True), X((1, 2, 2), -1, 1, False, True)],
           {"hidden_size": 2}),
    OpCase("CenterCropPad", [FLAT, _ints(2, 5)]),
    OpCase("Col2Im", [X((1, 4, 6), wide=False), _ints(3, 4), _ints(2, 2)]),
    OpCase("Det", [X((3, 3), wide=False)]),
    OpCase("GlobalLpPool", [SMALL]),
    OpCase("GridSample", [SMALL, np.array([[[[-0.5, 0.3], [0.1, 0.9]]]], np.float32)]),
    OpCase("MaxUnpool", [X((1, 1, 1, 2)), _ints(5, 3).reshape(1, 1, 1, 2)], {
        "kernel_shape": [2, 2], "strides": [2, 2],
    }),
    OpCase("Unique", [X((6,), wide=False)], outputs=4),
    OpCase("Upsample", [IMAGE, np.array([1, 1, 2, 2], np.float32)]),
)  # fmt: skip
"""One way to use each op whose element types are measured."""


def spellings(case: OpCase, type_name: str) -> Iterator[tuple[int, ModelProto, dict[str, np.ndarray]]]:
    """Yield each opset at which the op changed, with the model and its feeds; types that the op lacks are left out."""
    written = _model(case, type_name)
    if written is None or (case.floats_only and "FLOAT" not in type_name and type_name != "DOUBLE"):
        return
    model, feeds = written
    for opset in _opsets(case.op):
        if opset == models.opset(model):
            yield opset, model, feeds
        elif (older := _written_at(model, opset)) is not None and _takes(case.op, opset, type_name):
            yield opset, older, feeds


def _opsets(op: str) -> list[int]:
    history = {s.since_version for s in defs.get_all_schemas_with_history() if s.domain == "" and s.name == op}
    first = _first_written(op)
    return sorted({min(max(version, OLDEST), first) for version in history if version <= first} | {first})


def _first_written(op: str) -> int:
    """Return the opset at which an op's cases are written: `WRITTEN_AT`, or the nearest at which ONNX has the op."""
    history = [s for s in defs.get_all_schemas_with_history() if s.domain == "" and s.name == op]
    newest = max(history, key=lambda s: s.since_version)
    first = max(WRITTEN_AT, min(s.since_version for s in history))
    return newest.since_version - 1 if newest.deprecated else first


def _takes(op: str, opset: int, type_name: str) -> bool:
    return f"tensor({type_name.lower()})" in data_parameter(defs.get_schema(op, opset, "")).types


def _model(case: OpCase, type_name: str) -> tuple[ModelProto, dict[str, np.ndarray]] | None:
    opset = _first_written(case.op)
    if not _takes(case.op, opset, type_name):
        return None
    rng = np.random.default_rng(7)
    feeds: dict[str, np.ndarray] = {}
    constants: dict[str, np.ndarray] = {}
    names = []
    for index, argument in enumerate(case.inputs):
        name = "" if argument is None else f"x{index}"
        names.append(name)
        if isinstance(argument, X):
            (constants if argument.constant else feeds)[name] = _drawn(argument, type_name, rng)
        elif argument is not None:
            constants[name] = argument
    node = helper.make_node(case.op, names, [f"y{i}" for i in range(case.outputs)], **case.attributes)
    return _graph(node, feeds, constants, opset), feeds


def _drawn(x: X, type_name: str, rng: np.random.Generator) -> np.ndarray:
    dtype = helper.tensor_dtype_to_np_dtype(TensorProto.DataType.Value(type_name))
    if dtype == np.bool_:
        return rng.integers(0, 2, x.shape).astype(bool)
    if dtype.kind in "iu":
        low = max(x.low, 0) if dtype.kind == "u" else x.low
        drawn = rng.integers(low, x.high, x.shape, endpoint=True)
        if x.wide and dtype.itemsize >= 4 and drawn.size:
            drawn.flat[-1] = BEYOND_FLOAT32
        return np.asarray(drawn).astype(dtype)
    return np.asarray(rng.uniform(x.low, x.high, x.shape)).astype(dtype)


def _graph(
    node: NodeProto, feeds: Mapping[str, np.ndarray], constants: Mapping[str, np.ndarray], opset: int
) -> ModelProto:
    inputs = [_value(name, array) for name, array in feeds.items()]
    outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in node.output]
    for value in outputs:
        value.ClearField("type")
    graph = helper.make_graph(
        [node], node.op_type, inputs, outputs, [numpy_helper.from_array(a, n) for n, a in constants.items()]
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    return models.infer_shapes(model)


def _value(name: str, array: np.ndarray) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


@functools.cache
def _every_op(opset: int) -> targets.Target:
    return dataclasses.replace(targets.load("ort/cpu"), opset=opset, ops={"*": ("*",)}, quirks=())


def _written_at(model: ModelProto, opset: int) -> ModelProto | None:
    """Return the model converted to an older opset, None where its node cannot be."""
    logging.getLogger("onnx_ir").setLevel(logging.ERROR)
    result = lower(model, _every_op(opset), rules=()).model
    same = models.opset(result) == opset and len(result.graph.node) == 1
    return result if same else None


def between_casts(model: ModelProto) -> ModelProto | None:
    """Return the model with float32 inputs and outputs and a Cast at each of another type; None if there is none."""
    changed = ModelProto()
    changed.CopyFrom(model)
    graph, node = changed.graph, changed.graph.node[0]
    before = [_cast(name, name + ".typed", value) for name, value in _typed(graph.input)]
    after = [_cast(name + ".typed", name, value, TensorProto.FLOAT) for name, value in _typed(graph.output)]
    if not before and not after:
        return None
    inner = {cast.input[0]: cast.output[0] for cast in before} | {cast.output[0]: cast.input[0] for cast in after}
    node.input[:] = [inner.get(name, name) for name in node.input]
    node.output[:] = [inner.get(name, name) for name in node.output]
    nodes = [*before, node, *after]
    changed.graph.ClearField("node")
    changed.graph.node.extend(nodes)
    return changed


def _typed(values: Sequence[ValueInfoProto]) -> list[tuple[str, ValueInfoProto]]:
    return [(value.name, value) for value in values if value.type.tensor_type.elem_type != TensorProto.FLOAT]


def _cast(name: str, result: str, value: ValueInfoProto, to: int | None = None) -> NodeProto:
    """Return a Cast to `to`, else to the type of `value`, which becomes float32."""
    to = to or value.type.tensor_type.elem_type
    value.type.tensor_type.elem_type = TensorProto.FLOAT
    return helper.make_node("Cast", [name], [result], to=to)
