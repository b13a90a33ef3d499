"""Pairs of ops as cases: what is right alone may be wrong behind or beside another op.

    chain:  y = Consumer(Producer(x))          the consumer reads what the producer left, in the layout it left it in
    fork:   a = Producer(x),  b = Consumer(x)  both read one value, the producer first

A `Part` is an op with everything but its first input fixed. What a pair must give is ONNX Runtime's word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference

from fns_lab.matrix.cases import Case
from fns_lab.matrix.measure import measure
from fns_lab.matrix.table import Matrix, joined
from fns_lab.runtimes import open_runner
from fns_lab.targets import Target

Shape = tuple[int, ...]

OPSET, IR_VERSION = 7, 3
"""What every target loads as it stands."""
SHAPES: tuple[Shape, ...] = ((1, 4, 6, 10), (6, 10))
"""Of x: the first that the producer takes. Four sides, all different, none a square."""
SEED = 0
ARROW = " > "
PAIR_TARGETS = ("onnxjs-0.1.8/webgl", "ort-web/webgl")
"""Where pairs matter most: what an op leaves in a texture, in which layout and shared with whom, is the next one's."""


@dataclass(frozen=True)
class Part:
    """An op with all inputs after the first, and its attributes, made for the shape of the first.

    `make` returns (constants, attributes), or None for a shape that the op does not take.
    """

    op: str
    make: Callable[[Shape], tuple[list[np.ndarray], dict] | None] = field(repr=False)


def values(*shape: int) -> np.ndarray:
    """Seeded float32 in 0.1..2.5: roots and logarithms are defined, rounding leaves three numbers."""
    return np.random.default_rng(SEED).uniform(0.1, 2.5, shape).astype(np.float32)


def weights(*shape: int, fan_in: int) -> np.ndarray:
    """Positive, and so small that a product of `fan_in` terms stays where Sigmoid and Tanh still tell values apart."""
    return values(*shape) / np.float32(2 * fan_in)


def _plain(**attributes) -> Callable:
    return lambda shape: ([], attributes)


def _last_axes(**attributes) -> Callable:
    """Along the last axis, attributes aside."""
    return lambda shape: ([], attributes | {"axes": [len(shape) - 1]})


def _with(constant: Callable[[Shape], np.ndarray], **attributes) -> Callable:
    return lambda shape: ([constant(shape)], attributes)


def _picture(make: Callable[[int], tuple[list[np.ndarray], dict]]) -> Callable:
    """For `(N, C, H, W)` only; `make` is given C. No side may be too small for a 3x3 window."""
    return lambda shape: make(shape[1]) if len(shape) == 4 and min(shape[2:]) >= 3 else None


def _mirrored(shape: Shape) -> np.ndarray:
    """Other numbers than x has in the same places."""
    return values(*shape)[..., ::-1].copy()


def _slopes(shape: Shape) -> np.ndarray:
    return values(*(shape[1] if i == 1 else 1 for i in range(len(shape)))) if len(shape) > 1 else values(1)


def _permuted(shape: Shape) -> tuple[list, dict]:
    return [], {"perm": [*range(len(shape))][::-1]}


def _sliced(shape: Shape) -> tuple[list, dict] | None:
    return ([], {"axes": [len(shape) - 1], "starts": [1], "ends": [shape[-1]]}) if shape[-1] > 1 else None


def _split(shape: Shape) -> tuple[list, dict] | None:
    half = shape[-1] // 2
    return ([], {"axis": len(shape) - 1, "split": [half, shape[-1] - half]}) if half else None


def _squeezed(shape: Shape) -> tuple[list, dict] | None:
    return ([], {"axes": [shape.index(1)]}) if 1 in shape and len(shape) > 1 else None


def _padded(shape: Shape) -> tuple[list, dict] | None:
    pads = [0] * (len(shape) - 1) + [1]
    return ([], {"mode": "reflect", "pads": pads * 2}) if shape[-1] > 1 else None


def _upsampled(c: int) -> tuple[list, dict]:
    return [], {"mode": "nearest", "scales": [1.0, 1.0, 2.0, 2.0]}


def _gathered(shape: Shape) -> tuple[list, dict]:
    return [np.arange(shape[-1])[::-1].copy()], {"axis": len(shape) - 1}


def _gemm(shape: Shape) -> tuple[list, dict] | None:
    return ([weights(shape[1], 5, fan_in=shape[1]), values(5)], {}) if len(shape) == 2 else None


def _depth_to_space(shape: Shape) -> tuple[list, dict] | None:
    return ([], {"blocksize": 2}) if len(shape) == 4 and shape[1] % 4 == 0 else None


WINDOW = {"kernel_shape": [3, 3], "strides": [1, 2]}

PARTS: tuple[Part, ...] = (
    *(
        Part(op, _plain())
        for op in (
            "Abs", "Atan", "Ceil", "Cos", "Exp", "Floor", "Identity", "Log", "Neg", "Reciprocal",
            "Relu", "Sigmoid", "Sin", "Sqrt", "Tan", "Tanh",
        )
    ),
    Part("Clip", _plain(min=0.5, max=2.0)),
    Part("Elu", _plain(alpha=0.5)),
    Part("LeakyRelu", _plain(alpha=0.1)),
    Part("Softmax", lambda shape: ([], {"axis": len(shape) - 1})),
    *(Part(op, _with(_mirrored)) for op in ("Add", "Sub", "Mul", "Div", "Sum")),
    Part("Pow", _with(lambda shape: np.full((1,), 2, np.float32))),
    Part("PRelu", _with(_slopes)),
    Part("MatMul", _with(lambda shape: weights(shape[-1], 5, fan_in=shape[-1]))),
    Part("Gemm", _gemm),
    *(
        Part(op, _last_axes(keepdims=1))
        for op in ("ReduceMean", "ReduceSum", "ReduceSumSquare", "ReduceMax", "ReduceMin", "ReduceProd", "ReduceLogSum")
    ),
    Part("Reshape", lambda shape: ([np.array([*shape[:-2], shape[-1], shape[-2]])], {}) if len(shape) > 1 else None),
    Part("Flatten", _plain(axis=1)),
    Part("Squeeze", _squeezed),
    Part("Unsqueeze", _plain(axes=[0])),
    Part("Transpose", _permuted),
    Part("Concat", lambda shape: ([values(*shape)], {"axis": len(shape) - 1})),
    Part("Split", _split),
    Part("Slice", _sliced),
    Part("Gather", _gathered),
    Part("Tile", lambda shape: ([np.array([1] * (len(shape) - 1) + [2])], {})),
    Part("Pad", _padded),
    Part("Upsample", _picture(_upsampled)),
    Part("DepthToSpace", _depth_to_space),
    Part("Conv", _picture(lambda c: ([weights(5, c, 3, 3, fan_in=9 * c), values(5)], {**WINDOW, "pads": [1] * 4}))),
    Part("ConvTranspose", _picture(lambda c: ([weights(c, 5, 3, 3, fan_in=9 * c)], {**WINDOW}))),
    Part("MaxPool", _picture(lambda c: ([], WINDOW))),
    Part("AveragePool", _picture(lambda c: ([], WINDOW))),
    Part("GlobalAveragePool", _picture(lambda c: ([], {}))),
    Part("GlobalMaxPool", _picture(lambda c: ([], {}))),
    Part("BatchNormalization", _picture(lambda c: ([values(c) for _ in range(4)], {}))),
    Part("InstanceNormalization", _picture(lambda c: ([values(c), values(c)], {}))),
    Part("LRN", _picture(lambda c: ([], {"size": 3}))),
)
"""Ops with one float input that matters and one float output, as written at opset 7."""

if len({part.op for part in PARTS}) != len(PARTS):
    raise ValueError("two parts share an op")


def measure_pairs(targets: Sequence[Target | str], parts: Sequence[Part] = PARTS, **options) -> Matrix:
    """For each target the pairs of those parts that it runs right alone. `options` as `measure` takes them."""
    return joined(*(_measure_target(target, parts, options) for target in targets))


def _measure_target(target: Target | str, parts: Sequence[Part], options: dict) -> Matrix:
    alone = measure(single_cases(parts), [target], **options).table
    right = set(alone.op[(alone.form == "native") & (alone.result == "pass") & alone.supported])
    return measure(pair_cases([part for part in parts if part.op in right]), [target], **options)


def single_cases(parts: Sequence[Part] = PARTS) -> tuple[Case, ...]:
    """Every part alone."""
    return tuple(_cases((part,) for part in parts))


def pair_cases(parts: Sequence[Part] = PARTS) -> tuple[Case, ...]:
    """Every chain and every fork of two parts whose shapes fit and whose result can tell right from wrong."""
    return tuple(_cases((producer, consumer) for producer in parts for consumer in parts))


def _cases(groups: Iterable[tuple[Part, ...]]) -> Iterator[Case]:
    for parts in groups:
        name = ARROW.join(part.op for part in parts)
        for kind, build in (("alone", _chain),) if len(parts) == 1 else (("chain", _chain), ("fork", _fork)):
            if case := _case(f"{kind} {name}", name, build, parts):
                yield case


def _case(name: str, op: str, build: Callable, parts: Sequence[Part]) -> Case | None:
    """None where no shape fits or a result says nothing: it is not finite, or one number all over."""
    for shape in SHAPES:
        if model := build(parts, shape):
            feeds = {"x": values(*shape)}
            with open_runner(model, "ort/cpu") as runner:
                expected = runner.infer(feeds)
            telling = all(np.isfinite(y).all() and (y.size == 1 or np.ptp(y) > 0) for y in expected.values())
            return Case(name, op, model, feeds, expected) if telling else None
    return None


def _chain(parts: Sequence[Part], shape: Shape) -> ModelProto | None:
    graph, value = _Graph(shape), "x"
    for part in parts:
        value = value and graph.add(part, value)
    return value and graph.model([value])


def _fork(parts: Sequence[Part], shape: Shape) -> ModelProto | None:
    graph = _Graph(shape)
    outputs = [graph.add(part, "x") for part in parts]
    return graph.model(outputs) if all(outputs) else None


class _Graph:
    """Nodes and constants as they are added, and the shape of every value."""

    def __init__(self, shape: Shape) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, np.ndarray] = {}
        self._shapes = {"x": shape}

    def add(self, part: Part, value: str) -> str | None:
        """The name of what `part` makes of a value; None if it does not take its shape."""
        made = part.make(self._shapes[value])
        if made is None:
            return None
        constants, attributes = made
        index = len(self._nodes)
        named = {f"c{index}_{i}": array for i, array in enumerate(constants)}
        outputs = [f"y{index}", f"y{index}_rest"] if part.op == "Split" else [f"y{index}"]
        self._nodes.append(helper.make_node(part.op, [value, *named], outputs, f"n{index}", **attributes))
        self._constants |= named
        inferred = shape_inference.infer_shapes(self.model([outputs[0]]), data_prop=True).graph.output[0]
        self._shapes[outputs[0]] = tuple(dim.dim_value for dim in inferred.type.tensor_type.shape.dim)
        return outputs[0]

    def model(self, outputs: Sequence[str]) -> ModelProto:
        inputs = {"x": values(*self._shapes["x"])} | self._constants
        graph = helper.make_graph(
            self._nodes,
            "pair",
            [
                helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
                for name, array in inputs.items()
            ],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, self._shapes.get(name)) for name in outputs],
            [numpy_helper.from_array(array, name) for name, array in self._constants.items()],
        )
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION)
