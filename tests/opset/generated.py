"""Nodes of every op whose schema changed from opset 8 on, in small models: shapes, axes, attributes and inputs vary.

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


def scalar(number, dtype=F32) -> Constant:
    return Constant(np.array(number, dtype))


SHAPES = ((4,), (2, 3), (2, 3, 4), (1, 3, 1, 4), (2, 1, 3, 1, 2))


def by_shape_and_axis(shapes=SHAPES, beyond: int = 0) -> Iterator[tuple[tuple[int, ...], int]]:
    """Yield each shape with its first and last axis from the front and from the end."""
    for shape in shapes:
        size = len(shape) + beyond
        for axis in sorted({0, size - 1, -1, -size}):
            yield shape, axis


def cases() -> Iterator[Case]:
    for family in FAMILIES:
        yield from family()


def _axes() -> Iterator[Case]:
    """Unsqueeze, Squeeze and the reductions."""
    for shape in SHAPES:
        rank = len(shape)
        for axes in ([0], [-1], [rank], [0, -1], [-2, 1], [-rank - 1]):
            yield Case("Unsqueeze", [numbers(*shape)], attributes={"axes": axes})
            yield Case("Unsqueeze", [numbers(*shape), ints(*axes)])
    for shape, axes in (((1, 3, 1), [0]), ((1, 3, 1), [-1]), ((2, 1, 3, 1, 2), [-2, 1]), ((1, 1), [-1, 0])):
        yield Case("Squeeze", [numbers(*shape)], attributes={"axes": axes})
        yield Case("Squeeze", [numbers(*shape), ints(*axes)])
    for shape in ((1, 3, 1), (2, 3), (1,), (1, 1, 1), (2, 1, 3, 1, 2)):
        yield Case("Squeeze", [numbers(*shape)])
    kinds = ("Sum", "Mean", "Max", "Min", "Prod", "L1", "L2", "LogSum", "LogSumExp", "SumSquare")
    for kind, shape, keep in itertools.product(kinds, ((4,), (2, 3, 4), (2, 1, 3, 1, 2)), (0, None)):
        rank, attributes = len(shape), {} if keep is None else {"keepdims": keep}
        for axes in ([0], [-1], [0, -1] if rank > 1 else [0]):
            x = numbers(*shape, low=0.1)
            yield Case(f"Reduce{kind}", [x], attributes=attributes | {"axes": axes})
            yield Case(f"Reduce{kind}", [x, ints(*axes)], attributes=attributes)
        for noop in ({}, {"noop_with_empty_axes": 1}, {"noop_with_empty_axes": 0}):
            yield Case(f"Reduce{kind}", [x], attributes=attributes | noop)
            yield Case(f"Reduce{kind}", [x, None], attributes=attributes | noop)
            yield Case(f"Reduce{kind}", [x, Constant(np.zeros(0, np.int64))], attributes=attributes | noop)
        yield Case(f"Reduce{kind}", [x, ints(-1)], attributes=attributes | {"noop_with_empty_axes": 1})
        yield Case(f"Reduce{kind}", [x, np.array([0])], attributes=attributes)
    for dtype in (np.float64, np.int32, np.int64, np.uint8, np.float16, np.bool_):
        yield Case("ReduceMax", [numbers(2, 3, dtype=dtype, low=0), ints(-1)])
        yield Case("ReduceSum", [numbers(2, 3, dtype=dtype, low=0), ints(-1)])


def _along_one_axis() -> Iterator[Case]:
    for shape, axis in by_shape_and_axis():
        x, attributes = numbers(*shape), {"axis": axis}
        for op in ("Softmax", "LogSoftmax", "Hardmax", "Flatten", "ArgMax", "ArgMin", "LpNormalization"):
            yield Case(op, [x], attributes=attributes)
        yield Case("ArgMax", [np.round(x)], attributes={**attributes, "select_last_index": 1, "keepdims": 0})
        yield Case("Concat", [x, x + 1], attributes=attributes)
        yield Case("TopK", [x, ints(1)], ("y", "z"), attributes)
        yield Case("TopK", [x, ints(1)], ("y", "z"), attributes={**attributes, "largest": 0})
        yield Case("Split", [x], ("y",), attributes)
        yield Case("Gather", [x, ints(0, -1)], attributes=attributes)
        yield Case("Gather", [x, scalar(-1, np.int32)], attributes=attributes)
        yield Case("Gather", [x, np.array([[0, 0]])], attributes=attributes)
        for op in ("GatherElements", "ScatterElements"):
            updates = [x[..., :1] + 9] if op == "ScatterElements" else []
            yield Case(op, [x, np.zeros_like(x[..., :1], np.int64), *updates], attributes=attributes)
        yield Case("Scatter", [x, Constant(np.zeros_like(x, np.int64)), x + 9], attributes=attributes)
        yield Case("Compress", [x, Constant(np.array([True]))], attributes=attributes)
        yield Case("CumSum", [x, scalar(axis, np.int64)])
        yield Case("CumSum", [x, scalar(axis, np.int64)], attributes={"reverse": 1, "exclusive": 1})
    for shape, op in itertools.product(SHAPES, ("Softmax", "LogSoftmax", "Hardmax", "Flatten", "ArgMax", "TopK")):
        yield Case(op, [numbers(*shape), *([ints(2)] if op == "TopK" else [])], ("y", "z") if op == "TopK" else ("y",))
    for shape, axis in by_shape_and_axis(((2,), (2, 3)), beyond=1):
        for low in (0, -2):
            indices = numbers(*shape, dtype=np.int64, low=low, high=4)
            for given in (indices, Constant(indices)):
                yield Case("OneHot", [given, ints(4), Constant(np.array([-1, 2], F32))], attributes={"axis": axis})
    yield Case("OneHot", [Constant(np.array([3, 0])), ints(4), Constant(np.array([0, 1], F32))])
    yield Case("Softmax", [numbers(2, 3, 1, 1)], attributes={"axis": 1})
    yield Case("Softmax", [numbers(2, 3, 1, 1)], attributes={"axis": -3})
    yield Case("Softmax", [np.array(2, F32)])
    yield Case("Flatten", [numbers(2, 3)], attributes={"axis": 2})
    yield Case("Flatten", [numbers(2, 3, 4)], attributes={"axis": -3})


def _split() -> Iterator[Case]:
    x = numbers(2, 6, 4)
    for axis in (1, -2):
        yield Case("Split", [x], ("a", "b", "c"), {"axis": axis})
        yield Case("Split", [x], ("a", "b", "c"), {"axis": axis, "split": [1, 2, 3]})
        yield Case("Split", [x, ints(1, 2, 3)], ("a", "b", "c"), {"axis": axis})
        yield Case("Split", [x, ints(1, 0, 5)], ("a", "b", "c"), {"axis": axis})
        yield Case("Split", [x, None], ("a", "b"), {"axis": axis, "num_outputs": 2})
        yield Case("Split", [x], ("a", "b", "c", "d"), {"axis": axis, "num_outputs": 4})
    for size, parts in ((5, 2), (7, 3), (7, 4), (4, 3), (5, 4)):
        yield Case("Split", [numbers(size, 2)], [f"y{i}" for i in range(parts)], {"num_outputs": parts})


def _slice_and_pad() -> Iterator[Case]:
    x = numbers(3, 4, 5)
    for starts, ends, *rest in (
        ([0, 1], [2, 3]),
        ([1], [INT64_MAX], [1]),
        ([-3], [-1], [-1]),
        ([-99, 0], [99, -1], [0, -2]),
        ([0], [-99], [2]),
        ([2, 0], [3, 9], [-1, 0], [1, 1]),
        ([0], [9], [-1], [2]),
        ([9], [-99], [1], [-1]),
        ([-1], [-INT64_MAX], [-1], [-2]),
    ):
        yield Case("Slice", [x, ints(*starts), ints(*ends), *(ints(*r) for r in rest)])
        yield Case("Slice", [x, *(ints(*np.clip(r, -99, 99), dtype=np.int32) for r in (starts, ends, *rest))])
        yield Case("Slice", [x, *(np.clip(r, -99, 99).astype(np.int64) for r in (starts, ends, *rest))])
    yield Case("Slice", [x, ints(1), ints(2), None, ints(1)])
    x = numbers(3, 4, 5)
    modes = ({}, {"mode": "constant"}, {"mode": "reflect"}, {"mode": "edge"}, {"mode": "wrap"})
    for attributes, pads in itertools.product(modes, ([1, 0, 2, 0, 1, 0], [0, -1, 1, -1, 0, 1])):
        yield Case("Pad", [x, ints(*pads)], attributes=attributes)
        yield Case("Pad", [x, ints(*pads), scalar(0.5)], attributes=attributes)
    for axes in ([0], [-1], [-1, 0]):
        pads = [1] * len(axes) + [2] * len(axes)
        yield Case("Pad", [x, ints(*pads), None, ints(*axes)])
        yield Case("Pad", [x, ints(*pads), scalar(7), ints(*axes, dtype=np.int32)])
    yield Case("Pad", [x, np.array([0, 1, 0, 0, 0, 1])])
    yield Case("Pad", [x, ints(0, 1, 0, 0, 0, 1), np.array(2, F32)])
    for dtype in (np.float64, np.float16, np.int64, np.int32, np.uint8):
        yield Case("Pad", [x.astype(dtype), ints(0, 1, 0, 0, 0, 1), scalar(0.1, dtype)])
    yield Case("Pad", [x.astype(np.float64), ints(0, 1, 0, 0, 0, 1), scalar(0.5, np.float64)])


def _clip() -> Iterator[Case]:
    x = np.array([-np.inf, -4, -0.5, 0, 2, 300, np.inf], F32)
    limits = (None, scalar(-1), scalar(1.5), scalar(-np.inf))
    yield Case("Clip", [x])
    for low, high in itertools.product(limits, limits):
        yield Case("Clip", [x, low, high])
    yield Case("Clip", [x, np.array(0, F32)])
    for limit in ([scalar(0, np.float64)], [None, scalar(0, np.float64)]):
        yield Case("Clip", [np.array([-1e300, 1e300]), *limit])
    for dtype in (np.float64, np.float16, np.int32, np.int64, np.int8, np.uint8):
        for low, high in ((1, 2), (0.1, 2)):
            yield Case("Clip", [numbers(2, 3, dtype=dtype, low=0), scalar(low, dtype), scalar(high, dtype)])
    yield Case("Clip", [numbers(3, dtype=np.float64), scalar(-1e300, np.float64)])


def _pool() -> Iterator[Case]:
    for shape, kernel in (((1, 2, 7), [3]), ((1, 2, 7, 6), [3, 2]), ((1, 1, 4, 5, 6), [2, 3, 2])):
        n, x = len(kernel), numbers(*shape)
        for ceil, strides, pads in itertools.product(({}, {"ceil_mode": 1}), (1, 2, 3), (None, "begin", "both")):
            attributes = {"kernel_shape": kernel, "strides": [strides] * n, **ceil}
            if pads:
                attributes["pads"] = [1] * n + [int(pads == "both")] * n
            yield Case("MaxPool", [x], attributes=attributes)
            yield Case("MaxPool", [x], ("y", "z"), attributes)
            for op in ("AveragePool", "LpPool"):
                yield Case(op, [x], attributes=attributes)
            for include in (0, 1):
                yield Case("AveragePool", [x], attributes={**attributes, "count_include_pad": include})
        for op, dilation, ceil in itertools.product(("MaxPool", "AveragePool", "LpPool"), (1, 2), (0, 1)):
            attributes = {"kernel_shape": kernel, "dilations": [dilation] * n, "strides": [2] * n, "ceil_mode": ceil}
            yield Case(op, [x], attributes=attributes)
        for op, auto_pad in itertools.product(
            ("MaxPool", "AveragePool", "LpPool"), ("SAME_UPPER", "SAME_LOWER", "VALID")
        ):
            for ceil in ({}, {"ceil_mode": 1}):
                attributes = {"kernel_shape": kernel, "auto_pad": auto_pad, "strides": [2] * n, **ceil}
                yield Case(op, [x], attributes=attributes)
    yield Case("MaxPool", [numbers(1, 2, 4, 4)], ("y", "z"), {"kernel_shape": [2, 2], "storage_order": 1})
    yield Case("MaxPool", [numbers(1, 2, 4, 4, dtype=np.float64)], attributes={"kernel_shape": [2, 2]})
    yield Case("MaxPool", [numbers(1, 2, 4, 4, dtype=np.int8)], attributes={"kernel_shape": [2, 2]})


def _resize() -> Iterator[Case]:
    x = numbers(1, 2, 3, 4)
    nearest = [
        {"coordinate_transformation_mode": c, "nearest_mode": n}
        for c in ("half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel", "half_pixel_symmetric")
        for n in ("round_prefer_floor", "round_prefer_ceil", "floor", "ceil")
    ]
    for attributes in ({}, *nearest):
        for scales in ((1, 1, 2, 3), (1, 1, 1.5, 1), (1, 1, 0.5, 0.5)):
            yield Case("Resize", [x, None, Constant(np.array(scales, F32))], attributes=attributes)
        yield Case("Resize", [x, None, None, ints(1, 2, 6, 4)], attributes=attributes)
    empty = Constant(np.zeros(0, F32))
    yield Case("Resize", [x, empty, empty, ints(1, 2, 6, 8)])
    yield Case("Resize", [x, empty, Constant(np.array([1, 1, 2, 2], F32))])
    for scales in ((1, 1, 2, 3), (1, 1, 1.5, 1), (1, 1, 0.5, 0.5)):
        for mode in ({}, {"mode": "linear"}, {"mode": "nearest"}):
            yield Case("Resize", [x, Constant(np.array(scales, F32))], attributes=mode)
            yield Case("Upsample", [x, Constant(np.array(scales, F32))], attributes=mode)
    yield Case("Upsample", [numbers(2, 3), Constant(np.array([2, 2], F32))])
    for mode in ("linear", "cubic"):
        yield Case("Resize", [x, None, Constant(np.array([1, 1, 2, 2], F32))], attributes={"mode": mode})
    for axes in ([2, 3], [-1, -2]):
        attributes = {"axes": axes}
        yield Case("Resize", [x, None, Constant(np.array([3, 2], F32))], attributes=attributes)
        yield Case("Resize", [x, None, None, ints(6, 8)], attributes=attributes)
    for policy, sizes in itertools.product(("stretch", "not_larger", "not_smaller"), ((1, 2, 6, 12), (1, 2, 6, 8))):
        attributes = {"keep_aspect_ratio_policy": policy}
        yield Case("Resize", [x, None, None, ints(*sizes)], attributes=attributes)
        yield Case("Resize", [x, None, None, ints(*sizes[2:])], attributes={**attributes, "axes": [2, 3]})


def _elementwise() -> Iterator[Case]:
    a, b = numbers(2, 3, low=0.5), numbers(3, low=0.5)
    for op in ("Add", "Sub", "Mul", "Div", "Pow", "PRelu", "Less", "Greater", "Equal", "LessOrEqual", "GreaterOrEqual"):
        for dtype in (F32, np.float64, np.float16, np.int32, np.int64, np.int8, np.bool_):
            yield Case(op, [a.astype(dtype), b.astype(dtype)])
    for op in ("And", "Or", "Xor"):
        yield Case(op, [a > 1, b > 1])
    for exponent in (np.int64, np.float64, np.int32):
        yield Case("Pow", [a, scalar(2, exponent)])
    for op in ("Sum", "Mean", "Max", "Min"):
        for inputs in ([a], [a, a + 1], [a, b], [a, np.ones((2, 1), F32)], [a, b, a]):
            yield Case(op, inputs)
        yield Case(op, [a.astype(np.int32), a.astype(np.int32)])
        yield Case(op, [a.astype(np.float64), b.astype(np.float64)])


def _of_one_value() -> Iterator[Case]:
    for op in ("Abs", "Ceil", "Cos", "Elu", "Erf", "Exp", "Floor", "HardSigmoid", "HardSwish", "Identity", "IsNaN",
               "LeakyRelu", "Log", "Mish", "Neg", "Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sinh",
               "Softplus", "Softsign", "Sqrt", "Tan", "Tanh", "ThresholdedRelu", "Acos", "Atan", "Celu", "IsInf",
               "NonZero", "Shape", "Size", "Transpose", "Det", "EyeLike", "Unique", "Acosh", "Asin", "Asinh", "Atanh",
               "Cosh", "Sin"):  # fmt: skip
        for dtype in (F32, np.float64, np.int32):
            yield Case(op, [numbers(3, 3, dtype=dtype, low=0.1, high=0.9) + dtype(op == "Acosh")])
    x = numbers(2, 3)
    for to, saturate in itertools.product((1, 6, 9, 10, 11, 16, 17), (None, 0, 1)):
        yield Case("Cast", [x], attributes={"to": to} | ({} if saturate is None else {"saturate": saturate}))
    for start, end in ((None, None), (0, None), (1, None), (None, 1), (-1, None)):
        attributes = {k: v for k, v in (("start", start), ("end", end)) if v is not None}
        yield Case("Shape", [numbers(2, 3, 4)], attributes=attributes)
    yield Case("Einsum", [numbers(2, 3), numbers(3, 2)], attributes={"equation": "ij,jk->ik"})
    for value in (np.array([2.5], F32), np.array([2], np.int64), np.array([1], np.int8)):
        tensor = numpy_helper.from_array(value)
        yield Case("ConstantOfShape", [ints(2, 3)], attributes={"value": tensor})


def _integers_and_selection() -> Iterator[Case]:
    a, b = numbers(2, 3, low=0.5), numbers(3, low=0.5)
    x = numbers(2, 3, dtype=np.int32, low=-9, high=9)
    for fmod, dtype in itertools.product((0, 1), (F32, np.int32, np.int64)):
        yield Case("Mod", [x.astype(dtype), np.array([2, -3, 4], dtype)], attributes={"fmod": fmod})
    yield Case("BitShift", [np.array([8, 3], np.uint8), np.array([1, 2], np.uint8)], attributes={"direction": "RIGHT"})
    yield Case("Where", [a > 1, a, b])
    yield Case("Expand", [b, ints(2, 3)])
    yield Case("Range", [scalar(1), scalar(7), scalar(2)])
    yield Case("MatMul", [numbers(2, 3), numbers(3, 2)])
    yield Case("MatMul", [numbers(2, 3, dtype=np.int32), numbers(3, 2, dtype=np.int32)])


def _reshaping() -> Iterator[Case]:
    for shape, to in (((2, 6), [3, 4]), ((2, 6), [0, -1]), ((2, 6), [0, 3, 2]), ((0, 4), [4, 0]), ((0, 4), [0, 7])):
        for allow in ({}, {"allowzero": 1}, {"allowzero": 0}):
            yield Case("Reshape", [numbers(*shape), ints(*to)], attributes=allow)
    yield Case("Reshape", [numbers(2, 6), np.array([3, 4])], attributes={"allowzero": 1})
    for mode in ({}, {"mode": "DCR"}, {"mode": "CRD"}):
        yield Case("DepthToSpace", [numbers(1, 8, 2, 3)], attributes={"blocksize": 2, **mode})
        yield Case("SpaceToDepth", [numbers(1, 2, 4, 6)], attributes={"blocksize": 2, **mode})
    for op in ("ScatterElements", "ScatterND"):
        for reduction in ({}, *({"reduction": r} for r in ("none", "add", "mul", "max", "min"))):
            updates = numbers(1, 2, low=5, high=6) if op == "ScatterElements" else numbers(1, 3, low=5, high=6)
            indices = np.array([[1, -1]]) if op == "ScatterElements" else np.array([[-1]])
            yield Case(op, [numbers(2, 3), indices, updates], attributes=reduction)
    yield Case("GatherND", [numbers(2, 3), np.array([[0], [1]])], attributes={"batch_dims": 1})
    yield Case("GatherND", [numbers(2, 3), np.array([[0, -1], [1, 0]])])
    yield Case("ReverseSequence", [numbers(3, 2), np.array([1, 3])])
    yield Case("Tile", [numbers(2, 3), ints(2, 1)])
    yield Case("Trilu", [numbers(3, 3)])


def _gemm_and_convolution() -> Iterator[Case]:
    for dtype in (F32, np.float64, np.int32, np.float16):
        a, b = numbers(2, 3, dtype=dtype), numbers(3, 4, dtype=dtype)
        yield Case("Gemm", [a, b])
        yield Case("Gemm", [a, b, None], attributes={"alpha": 2.0, "beta": 0.5})
        for shape in ((), (4,), (2, 1), (1, 4)):
            yield Case("Gemm", [a, b, numbers(*shape, dtype=dtype)], attributes={"beta": 2.0})
    w = Constant(numbers(2, 3, 3, 3))
    x = numbers(1, 3, 6, 7)
    for attributes in (
        {},
        {"auto_pad": "SAME_LOWER", "strides": [2, 2]},
        {"auto_pad": "SAME_UPPER"},
        {"pads": [1] * 4},
    ):
        yield Case("Conv", [x, w], attributes=attributes)
        yield Case("ConvTranspose", [x, Constant(numbers(3, 2, 3, 3))], attributes=attributes)
    yield Case(
        "ConvTranspose", [x, Constant(numbers(3, 2, 3, 3))], attributes={"output_shape": [13, 14], "strides": [2, 2]}
    )
    per_channel = [Constant(numbers(3, low=0.5)) for _ in range(4)]
    for shape in ((2, 3), (2, 3, 4), (2, 3, 2, 2)):
        yield Case("BatchNormalization", [numbers(*shape), *per_channel])
        yield Case(
            "BatchNormalization", [numbers(*shape), *per_channel], attributes={"training_mode": 0, "epsilon": 0.1}
        )
        yield Case("BatchNormalization", [numbers(*shape), *per_channel], ("y", "m", "v"), {"training_mode": 1})
    yield Case("BatchNormalization", [numbers(2, 3), *per_channel], ("y", "m", "v", "sm", "sv"))
    yield Case("BatchNormalization", [numbers(2, 3, dtype=np.float16), *per_channel])
    yield Case("InstanceNormalization", [numbers(2, 3, 4), *per_channel[:2]])
    yield Case("GroupNormalization", [numbers(2, 4, 3), *[Constant(numbers(4))] * 2], attributes={"num_groups": 2})
    yield Case("LRN", [x], attributes={"size": 3})
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        yield Case(op, [x])
    yield Case("MaxUnpool", [numbers(1, 1, 2, 2), Constant(np.array([[[[0, 3], [9, 14]]]]))],
               attributes={"kernel_shape": [2, 2], "strides": [2, 2]})  # fmt: skip
    grid = Constant(numbers(1, 2, 2, 2, low=-1, high=1))
    for mode in (
        {},
        {"mode": "linear"},
        {"mode": "bilinear"},
        {"mode": "cubic"},
        {"mode": "bicubic"},
        {"mode": "nearest"},
    ):
        yield Case("GridSample", [x, grid], attributes={"align_corners": 1, **mode})
    yield Case("GridSample", [numbers(1, 1, 2, 3, 4), Constant(numbers(1, 2, 2, 2, 3, low=-1, high=1))])
    roi = [Constant(np.array([[0.3, 0.7, 4, 5]], F32)), ints(0)]
    for mode in (
        {},
        {"coordinate_transformation_mode": "half_pixel"},
        {"coordinate_transformation_mode": "output_half_pixel"},
    ):
        yield Case("RoiAlign", [x, *roi], attributes={"output_height": 2, "output_width": 2, **mode})


def _others() -> Iterator[Case]:
    x = numbers(2, 3)
    for outputs in (("y",), ("y", "mask")):
        yield Case("Dropout", [x], outputs)
        yield Case("Dropout", [x], outputs, {"ratio": 0.3})
        yield Case("Dropout", [x, scalar(0.3)], outputs)
        yield Case("Dropout", [x, None, Constant(np.array(False))], outputs, {"seed": 3})
        yield Case("Dropout", [x, scalar(0.0), Constant(np.array(True))], outputs)
    for scale, zero in ((0.25, 3), ([0.25, 0.5, 1.0], [1, 2, 3])):
        for zero_type, axis in itertools.product((np.int8, np.uint8), ({}, {"axis": 1}, {"axis": -1})):
            constants = [scalar(scale), scalar(zero, zero_type)]
            yield Case("QuantizeLinear", [x, *constants], attributes=axis)
            yield Case("DequantizeLinear", [x.astype(zero_type), *constants], attributes=axis)
    yield Case("QuantizeLinear", [x, scalar(0.25)])
    yield Case("QuantizeLinear", [x, scalar(0.25)], attributes={"output_dtype": 3})
    yield Case("DequantizeLinear", [x.astype(np.int8), scalar(0.25)])
    signal = numbers(2, 4, 4, 1)
    for axis in (None, scalar(1, np.int64), scalar(2, np.int64), scalar(-2, np.int64)):
        given = [axis] if axis else []  # ONNX Runtime 1.32 dies of an axis left out by an empty name
        yield Case("DFT", [signal, scalar(4, np.int64), *given])
        yield Case("DFT", [signal, scalar(3, np.int64), *given], attributes={"onesided": 1})
    yield Case("DFT", [signal], attributes={"axis": 2})
    for op, gates in (("LSTM", 4), ("GRU", 3), ("RNN", 1)):
        weights = [Constant(numbers(1, gates * 2, 3)), Constant(numbers(1, gates * 2, 2))]
        for outputs, layout in itertools.product((("y",), ("", "h"), ("y", "h")), ({}, {"layout": 0}, {"layout": 1})):
            yield Case(op, [numbers(4, 2, 3), *weights], outputs, {"hidden_size": 2, **layout})
        yield Case(op, [numbers(4, 2, 3), *weights, None, None, numbers(1, 2, 2)], ("", "h"), {"hidden_size": 2})


FAMILIES = (_axes, _along_one_axis, _split, _slice_and_pad, _clip, _pool, _resize, _elementwise, _of_one_value,
            _integers_and_selection, _reshaping,
            _gemm_and_convolution, _others)  # fmt: skip
