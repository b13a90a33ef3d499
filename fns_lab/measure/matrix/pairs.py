"""Pairs of ops as cases: what is right alone may be wrong behind or beside another op.

    chain:  y = Consumer(Producer(x))          the consumer reads what the producer left, in the layout it left it in
    fork:   a = Producer(x),  b = Consumer(x)  both read one value, the producer first

What a pair must give is ONNX Runtime's word.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference

from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.parts import PARTS, Part, Shape, values
from fns_lab.measure.matrix.run import measure_cases
from fns_lab.measure.matrix.table import Matrix, joined
from fns_lab.runtimes import open_runner
from fns_lab.targets import Target

OPSET, IR_VERSION = 7, 3
"""What every target loads as it stands."""
SHAPES: tuple[Shape, ...] = ((1, 4, 6, 10), (6, 10))
"""Of x: the first that fits. Four sides, all different, none a square."""
ARROW = " > "
PAIR_TARGETS = ("onnxjs-0.1.8/webgl", "ort-web/webgl")
"""Where pairs matter most: what an op leaves in a texture, in which layout and shared with whom, is the next one's."""


def measure_pairs(targets: Sequence[Target | str], *, involving: Collection[str] | None = None, **options) -> Matrix:
    """For each target the pairs of those parts that it runs right alone.

    `involving` keeps the pairs with one of these ops on either side; `options` as `measure` takes them.
    """
    return joined(*(_measure_target(target, involving, options) for target in targets))


def _measure_target(target: Target | str, involving: Collection[str] | None, options: dict) -> Matrix:
    alone = measure_cases(single_cases(), [target], **options).table
    right = set(alone.op[(alone.variant == "native") & (alone.result == "pass") & alone.supported])
    pairs = itertools.product([part for part in PARTS if part.op in right], repeat=2)
    kept = [pair for pair in pairs if involving is None or any(part.op in involving for part in pair)]
    return measure_cases(pair_cases(kept), [target], **options)


def single_cases(ops: Collection[str] | None = None, shapes: Sequence[Shape] = SHAPES) -> tuple[Case, ...]:
    """Parts alone, all or those of `ops`, on the first of `shapes` that they take."""
    return _cases(((part,) for part in PARTS if ops is None or part.op in ops), shapes)


def pair_cases(pairs: Iterable[tuple[Part, Part]]) -> tuple[Case, ...]:
    """The chain and the fork of each pair (producer, consumer) whose shapes fit and whose result says something."""
    return _cases(pairs, SHAPES)


def pairs_of(producers: Iterable[str], consumers: Iterable[str]) -> list[tuple[Part, Part]]:
    """Each producer with each consumer, by op type."""
    part = {part.op: part for part in PARTS}
    return [(part[producer], part[consumer]) for producer in producers for consumer in consumers]


def _cases(groups: Iterable[tuple[Part, ...]], shapes: Sequence[Shape]) -> tuple[Case, ...]:
    from tqdm import tqdm

    groups, cases = list(groups), []
    for parts in tqdm(groups, "expected", unit="pair", delay=2, leave=False, file=sys.stderr):
        name = ARROW.join(part.op for part in parts)
        for kind, build in (("alone", _chain),) if len(parts) == 1 else (("chain", _chain), ("fork", _fork)):
            cases.append(_case(f"{kind} {name}", name, build, parts, shapes))
    return tuple(filter(None, cases))


def _case(name: str, op: str, build: Callable, parts: Sequence[Part], shapes: Sequence[Shape]) -> Case | None:
    """None where no shape fits or a result says nothing: it is not finite, or one number all over."""
    for shape in shapes:
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
