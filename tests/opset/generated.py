"""A node in a small model, at every opset at which it is valid: what the generated cases are made of.

A case states no opset. It is tried at the newest and at the last of each way in which the op was written before; onnx's
shape inference says at which of these it is a valid model.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import onnx
import onnx_ir as ir
from onnx import helper, numpy_helper

from fns_lab.opset.spec import NodeSpec

F32 = np.float32
INT64_MAX = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Constant:
    """An input that is an initializer."""

    array: np.ndarray


@dataclass(frozen=True)
class Case:
    """A node: an input is a fed array, a `Constant`, or None if it is left out; `outputs` may hold empty names."""

    op: str
    inputs: Sequence[np.ndarray | Constant | None]
    outputs: Sequence[str] = ("y",)
    attributes: dict = field(default_factory=dict)

    def feeds(self) -> dict[str, np.ndarray]:
        return {f"x{i}": x for i, x in enumerate(self.inputs) if isinstance(x, np.ndarray)}

    def model(self, opset: int) -> onnx.ModelProto:
        """Return the model at `opset`. Raises an error of onnx if it is not valid there."""
        names = ["" if x is None else f"x{i}" for i, x in enumerate(self.inputs)]
        node = helper.make_node(self.op, names, self.outputs, name="node", **self.attributes)
        constants = [(name, x.array) for name, x in zip(names, self.inputs, strict=True) if isinstance(x, Constant)]
        graph = helper.make_graph(
            [node],
            "generated",
            [value_info(name, x) for name, x in self.feeds().items()],
            [helper.make_empty_tensor_value_info(name) for name in self.outputs if name],
            [numpy_helper.from_array(array, name) for name, array in constants],
        )
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
        onnx.checker.check_node(node, checker_context(opset))
        return onnx.shape_inference.infer_shapes(proto, check_type=True, strict_mode=True)


@functools.cache
def checker_context(opset: int) -> onnx.checker.C.CheckerContext:
    context = onnx.checker.C.CheckerContext()
    context.ir_version, context.opset_imports = 8, {"": opset}
    return context


def value_info(name: str, x: np.ndarray) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(x.dtype), x.shape)


OLDEST = 7
NEWEST = onnx.defs.onnx_opset_version()


@functools.cache
def schemas() -> dict[str, dict[int, onnx.defs.OpSchema]]:
    """Return the schemas of ONNX's own ops by name and first opset, the oldest first."""
    history: dict[str, dict[int, onnx.defs.OpSchema]] = {}
    for op in sorted(onnx.defs.get_all_schemas_with_history(), key=lambda op: op.since_version):
        if op.domain == "":
            history.setdefault(op.name, {})[op.since_version] = op
    return history


@functools.cache
def opsets(op: str) -> list[int]:
    """Return the newest opset, and the last opset before each change of the op's attributes, inputs or outputs."""
    versions = list(schemas()[op].items())
    return [
        newer - 1
        for (_, before), (newer, after) in itertools.pairwise(versions)
        if newer - 1 > OLDEST and signature(before) != signature(after)
    ] + [NEWEST]


def signature(op: onnx.defs.OpSchema) -> tuple:
    attributes = sorted((name, str(a.type), str(a.default_value)) for name, a in op.attributes.items())
    return attributes, [(p.name, p.option) for p in op.inputs], len(op.outputs), op.deprecated


def written(proto: onnx.ModelProto, spec: NodeSpec, opset: int) -> onnx.ModelProto:
    """Return the model of one node with its node written as `spec` says, for `opset`."""
    model = onnx.ModelProto()
    model.CopyFrom(proto)
    model.opset_import[0].version = opset
    node = model.graph.node[0]
    node.op_type = spec.op_type
    del node.input[:], node.attribute[:]
    known = {value.name for value in (*model.graph.input, *model.graph.initializer)}
    for value in spec.inputs:
        node.input.append("" if value is None else value.name)
        if value is not None and value.name not in known:
            model.graph.initializer.append(numpy_helper.from_array(value.const_value.numpy(), value.name))
    node.attribute.extend(ir.to_proto(attribute) for attribute in spec.attributes.values())
    return model


def numbers(*shape: int, dtype=F32, low=-3.0, high=3.0) -> np.ndarray:
    drawn = np.random.default_rng(sum(shape) + len(shape)).uniform(low, high, shape)
    return drawn.astype(dtype)


def ints(*numbers: int, dtype=np.int64) -> Constant:
    return Constant(np.array(numbers, dtype))


def floats(*numbers: float) -> Constant:
    return Constant(np.array(numbers, F32))


def scalar(number, dtype=F32) -> Constant:
    return Constant(np.array(number, dtype))


SHAPES = ((4,), (2, 3), (2, 3, 4), (1, 3, 1, 4), (2, 1, 3, 1, 2))


def by_shape_and_axis(shapes=SHAPES, beyond: int = 0) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield each shape with its first and last axis from the front and from the end."""
    for shape in shapes:
        size = len(shape) + beyond
        for axis in sorted({0, size - 1, -1, -size}):
            yield shape, axis
