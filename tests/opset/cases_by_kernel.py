"""Generated nodes of pooling, resizing, convolution, arithmetic and the ops of one kind."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
from onnx import numpy_helper

from tests.opset.generated import F32, Case, Constant, floats, ints, numbers, scalar


def cases() -> Iterator[Case]:
    for family in (
        _pool,
        _resize,
        _elementwise,
        _of_one_value,
        _integers_and_selection,
        _reshaping,
        _gemm_and_convolution,
        _others,
    ):
        yield from family()


def _pool() -> Iterator[Case]:
    for shape, kernel in (((1, 2, 7), [3]), ((1, 2, 7, 6), [3, 2]), ((1, 1, 4, 5, 6), [2, 3, 2])):
        n, x = len(kernel), numbers(*shape)
        for ceil, strides, pads in itertools.product(
            ({}, {"ceil_mode": 1}), (2, 3) if n < 3 else (), (None, "begin", "both")
        ):
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
            yield Case("Resize", [x, None, floats(*scales)], attributes=attributes)
        yield Case("Resize", [x, None, None, ints(1, 2, 6, 4)], attributes=attributes)
    empty = floats()
    yield Case("Resize", [x, empty, empty, ints(1, 2, 6, 8)])
    yield Case("Resize", [x, empty, floats(1, 1, 2, 2)])
    for scales in ((1, 1, 2, 3), (1, 1, 1.5, 1), (1, 1, 0.5, 0.5)):
        for mode in ({}, {"mode": "linear"}, {"mode": "nearest"}):
            yield Case("Resize", [x, floats(*scales)], attributes=mode)
            yield Case("Upsample", [x, floats(*scales)], attributes=mode)
    yield Case("Upsample", [numbers(2, 3), floats(2, 2)])
    for mode in ("linear", "cubic"):
        yield Case("Resize", [x, None, floats(1, 1, 2, 2)], attributes={"mode": mode})
    for axes in ([2, 3], [-1, -2]):
        attributes = {"axes": axes}
        yield Case("Resize", [x, None, floats(3, 2)], attributes=attributes)
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
