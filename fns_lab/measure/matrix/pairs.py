"""Pairs of ops as cases: an op that is right alone may be wrong after or beside another op.

    chain:  y = Consumer(Producer(x))          the consumer reads the producer's output, in the layout it is stored in
    fork:   a = Producer(x),  b = Consumer(x)  both read one value, the producer first

The expected outputs are ONNX Runtime's.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Collection, Iterable, Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper, shape_inference

from fns_lab.errors import RuntimeFault
from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.parts import PARTS, Part, Shape, values
from fns_lab.measure.matrix.run import measure_cases
from fns_lab.measure.matrix.table import Matrix, joined
from fns_lab.runtimes import open_runner
from fns_lab.targets import Target

OPSET = 7
"""Opset of the pairs, which every target loads unmodified."""
IR_VERSION = 3
"""IR version of the pairs, which every target loads unmodified."""
SHAPES: tuple[Shape, ...] = ((1, 4, 6, 10), (6, 10))
"""Shapes of x; a part takes the first that it supports. All dimensions differ."""
DRAWN: tuple[Shape, ...] = tuple(
    (2, channels, *sizes) for channels in (4, 1, 3, 5, 16, 17) for sizes in ((6, 7), (9,), (3, 5, 4))
)
"""Further shapes of x, of three to five dimensions; each pair takes one of them."""
STRIDE = 7
"""Places in `DRAWN` between the shapes of a producer with one consumer and with the next."""
ARROW = " > "
"""Between the two ops in the name of a pair."""
Build = Callable[[Sequence[Part], Shape], ModelProto | None]
"""Makes a model from parts and the shape of x; None if they do not fit."""
PAIR_TARGETS = ("onnxjs-0.1.8/webgl", "ort-web/webgl")
"""The engines that keep values in WebGL textures, whose layout one op leaves to the next."""


def measure_pairs(
    targets: Sequence[Target | str],
    *,
    involving: Collection[str] | None = None,
    cached: bool = True,
    drawn: bool = False,
) -> Matrix:
    """Measure, for each target, the pairs of those parts that it runs right alone.

    `involving` keeps the pairs that hold one of these ops. `cached`: as `measure_cases` takes it. With `drawn`, each
    pair is measured at one of `DRAWN` as well, if its parts are right alone there.
    """
    return joined(*(_measure_target(target, involving, cached, drawn) for target in targets))


def _measure_target(target: Target | str, involving: Collection[str] | None, cached: bool, drawn: bool) -> Matrix:
    pairs = list(itertools.product(PARTS, PARTS))
    kept = [pair for pair in pairs if involving is None or any(part.op in involving for part in pair)]
    ops = {part.op for pair in kept for part in pair}
    right = _right_alone(single_cases(ops), target, cached)
    cases = pair_cases(pair for pair in kept if all(f"alone {part.op}" in right for part in pair))
    if drawn:
        at = {shape: {part.op for pair in kept if drawn_shape(pair) == shape for part in pair} for shape in DRAWN}
        right = _right_alone([case for shape in DRAWN for case in single_cases(at[shape], (shape,))], target, cached)
        names = {pair: [f"alone {part.op}{_at(drawn_shape(pair))}" for part in pair] for pair in kept}
        cases += drawn_pair_cases(pair for pair in kept if right.issuperset(names[pair]))
    return measure_cases(cases, [target], cached=cached)


def _right_alone(cases: Sequence[Case], target: Target | str, cached: bool) -> set[str]:
    """Return the names of the cases that the target supports and computes right."""
    table = measure_cases(cases, [target], cached=cached).table
    return set(table.case[(table.variant == "native") & (table.result == "pass") & table.supported])


def single_cases(ops: Collection[str] | None = None, shapes: Sequence[Shape] = SHAPES) -> tuple[Case, ...]:
    """Return single parts as cases, all or those of `ops`, on the first of `shapes` that they take."""
    return _cases(((part,) for part in PARTS if ops is None or part.op in ops), shapes)


def pair_cases(pairs: Iterable[tuple[Part, Part]]) -> tuple[Case, ...]:
    """Return the chain and the fork of each pair (producer, consumer) that fits, without those of a constant result."""
    return _cases(pairs, SHAPES)


def drawn_pair_cases(pairs: Iterable[tuple[Part, Part]]) -> tuple[Case, ...]:
    """Return the same at the shape of `DRAWN` that each pair takes."""
    return tuple(itertools.chain(*(_cases([pair], (drawn_shape(pair),)) for pair in pairs)))


def drawn_shape(pair: tuple[Part, Part]) -> Shape:
    """Return the one of `DRAWN` that a pair takes: every part meets them all, as producer and as consumer."""
    producer, consumer = (PARTS.index(part) for part in pair)
    return DRAWN[(producer + STRIDE * consumer) % len(DRAWN)]


def _at(shape: Shape) -> str:
    """Return what is added to the name of a case for a shape of `DRAWN`."""
    return f" at {'x'.join(map(str, shape))}" if shape in DRAWN else ""


def pairs_of(producers: Iterable[str], consumers: Iterable[str]) -> list[tuple[Part, Part]]:
    """Return each producer with each consumer, by op type."""
    part = {part.op: part for part in PARTS}
    return [(part[producer], part[consumer]) for producer in producers for consumer in consumers]


def _cases(groups: Iterable[tuple[Part, ...]], shapes: Sequence[Shape]) -> tuple[Case, ...]:
    from tqdm import tqdm

    groups, cases = list(groups), []
    for parts in tqdm(groups, "expected", unit="pair", delay=2, leave=False, file=sys.stderr):
        name = ARROW.join(part.op for part in parts)
        at = _at(shapes[0])
        for kind, build in (("alone", _chain),) if len(parts) == 1 else (("chain", _chain), ("fork", _fork)):
            cases.append(_case(f"{kind} {name}{at}", name, build, parts, shapes))
    return tuple(filter(None, cases))


def _case(name: str, op: str, build: Build, parts: Sequence[Part], shapes: Sequence[Shape]) -> Case | None:
    """Return None where no shape fits, or where a result can show no fault: it is not finite, or constant.

    None too where ONNX Runtime refuses the model, such as an LRN of another rank than 4.
    """
    for shape in shapes:
        if model := build(parts, shape):
            feeds = {"x": values(*shape)}
            try:
                with open_runner(model, "ort/cpu") as runner:
                    expected = runner.infer(feeds)
            except RuntimeFault:
                return None
            varied = all(np.isfinite(y).all() and (y.size == 1 or np.ptp(y) > 0) for y in expected.values())
            return Case(name, op, model, feeds, expected) if varied else None
    return None


def _chain(parts: Sequence[Part], shape: Shape) -> ModelProto | None:
    graph = _Graph(shape)
    value: str | None = "x"
    for part in parts:
        value = graph.add(part, value) if value else None
    return graph.model([value]) if value else None


def _fork(parts: Sequence[Part], shape: Shape) -> ModelProto | None:
    graph = _Graph(shape)
    outputs = [graph.add(part, "x") for part in parts]
    named = [name for name in outputs if name]
    return graph.model(named) if len(named) == len(outputs) else None


class _Graph:
    """A model as parts are added to it, with the shape of every value."""

    def __init__(self, shape: Shape) -> None:
        self._nodes: list[NodeProto] = []
        self._constants: dict[str, np.ndarray] = {}
        self._shapes = {"x": shape}

    def add(self, part: Part, value: str) -> str | None:
        """Add `part` after `value` and return the name of its output; None if it does not take the value's shape."""
        arguments = part.make(self._shapes[value])
        if arguments is None:
            return None
        constants, attributes = arguments
        index = len(self._nodes)
        named = {f"c{index}_{i}": array for i, array in enumerate(constants)}
        outputs = [f"y{index}", f"y{index}_rest"] if part.op == "Split" else [f"y{index}"]
        self._nodes.append(helper.make_node(part.op, [value, *named], outputs, f"n{index}", **attributes))
        self._constants |= named
        inferred = shape_inference.infer_shapes(self.model([outputs[0]]), data_prop=True).graph.output[0]
        self._shapes[outputs[0]] = tuple(dim.dim_value for dim in inferred.type.tensor_type.shape.dim)
        return outputs[0]

    def model(self, outputs: Sequence[str]) -> ModelProto:
        """Return the model so far, with these outputs."""
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
