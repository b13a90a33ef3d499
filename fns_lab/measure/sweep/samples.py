"""Samples: drawn nodes as models, with the expected outputs of ONNX Runtime with its optimisations off."""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import onnx
from onnx import AttributeProto, ModelProto, ValueInfoProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.errors import InputError, RuntimeFault, shape_text
from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.outcome import check_outputs
from fns_lab.measure.sweep.draw import Draw, Inputs, Void, constant_inputs
from fns_lab.measure.sweep.families import FAMILIES
from fns_lab.measure.sweep.pairwise import Axes, Pairwise, Row
from fns_lab.models import model_label
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.float64 import NAME as REFERENCE
from fns_lab.runtimes.float64 import Float64Runner
from fns_lab.targets import Target, check

Drawn = TypeVar("Drawn")
"""What is drawn."""
TIMEOUT_S = 20.0
"""Seconds that an engine may take for one case."""
NO_CODE = "NOT_IMPLEMENTED"
"""In a message of ONNX Runtime: the model is valid, but there is no code for one of its nodes."""
MOST_VOID = 40
"""After so many void rows in succession an op counts as drawn out."""


@dataclass(frozen=True)
class Sample:
    """A drawn node: its op, the row that it was made from, and the case.

    `by_reference`: whether only onnx's reference evaluator gave the expected outputs, since ONNX Runtime has no code
    for this node, or gets it wrong and cannot run a lowered one either.
    """

    op: str
    row: Row
    case: Case
    by_reference: bool = False


def truth_target() -> Target:
    """Return ONNX Runtime without optimisations, in a process of its own, since it has crashed on valid models."""
    plain = targets.load("ort/cpu")
    return dataclasses.replace(plain, own_process=True, settings={**plain.settings, "optimizations": False})


def axes_of(op: str) -> Axes:
    """Return every axis of an op, with its values, the simplest first."""
    return FAMILIES[op].all_axes(op)


def weight(op: str) -> float:
    """Return the share of samples that an op gets, as a number: how many pairs of values of two axes there are."""
    counts = [len(values) for values in axes_of(op).values()]
    return FAMILIES[op].weight * (sum(counts) ** 2 - sum(count**2 for count in counts)) / 2


def draw_samples(op: str, count: int, seed: int) -> Iterator[Sample]:
    """Yield `count` samples of an op, or fewer where no more valid rows are found."""
    return drawn(op, count, seed, make_sample)


def drawn(op: str, count: int, seed: int, make: Callable[[str, Row, int], Drawn | None]) -> Iterator[Drawn]:
    """Yield what `make` returns for `count` rows of an op; a row for which that is None is drawn anew."""
    rows = Pairwise(axes_of(op), (seed, op), FAMILIES[op].usual_axes(op))
    void = 0
    while count and void < MOST_VOID:
        row = rows.draw()
        made = make(op, row, seed)
        if made is None:
            rows.drop(row)
            void += 1
            continue
        rows.keep(row)
        void, count = 0, count - 1
        yield made


def make_node(op: str, row: Row, seed: int) -> tuple[ModelProto, dict[str, np.ndarray]] | None:
    """Return the model of a row and its feeds, None for a row that describes no valid node. Runs no engine."""
    try:
        draw = Draw(op, row, _generator(op, row, seed))
        return _model(draw, FAMILIES[op].make(draw))
    except (Void, onnx.shape_inference.InferenceError):
        return None


def make_sample(op: str, row: Row, seed: int) -> Sample | None:
    """Return the sample of a row, None for a row that describes no valid node or one that ONNX Runtime refuses."""
    made = make_node(op, row, seed)
    if made is None:
        return None
    model, feeds = made
    try:
        expected, by_reference = _expected(model, feeds)
        model = _with_outputs(model, expected)
        onnx.checker.check_model(model, full_check=True)
    except (RuntimeFault, InputError, onnx.checker.ValidationError, onnx.shape_inference.InferenceError):
        return None
    case = Case(row_text(op, row), op, model, feeds, expected, FAMILIES[op].elementwise)
    return Sample(op, row, case, by_reference)


def row_text(op: str, row: Row) -> str:
    """Return the values of a row that are not the simplest, such as `channels=17, kernel=3x1`."""
    simplest = {axis: values[0] for axis, values in axes_of(op).items()}
    told = [f"{axis.removeprefix('attribute ')}={value_text(row[axis])}" for axis in row if row[axis] != simplest[axis]]
    return f"{op} " + (", ".join(told) or "in the simplest form")


def value_text(value: object) -> str:
    """Return a value of an axis as people write it."""
    if isinstance(value, tuple):
        return shape_text(value)
    return "left out" if value is None else str(value)


def _generator(op: str, row: Row, seed: int) -> np.random.Generator:
    digest = hashlib.sha256(repr((seed, op, sorted(row.items(), key=lambda item: item[0]))).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "big"))


def _model(draw: Draw, inputs: Inputs) -> tuple[ModelProto, dict[str, np.ndarray]]:
    """Return the model of one node, and its feeds. Raises what onnx's shape inference raises."""
    inputs = list(inputs)
    while inputs and inputs[-1] is None:
        inputs.pop()
    constant = constant_inputs(draw, len(inputs))
    names = ["" if array is None else f"x{index}" for index, array in enumerate(inputs)]
    arrays = {name: array for name, array in zip(names, inputs, strict=True) if array is not None}
    constants = {name: arrays[name] for index, name in enumerate(names) if name and index in constant}
    arrays |= draw.captured
    feeds = {name: array for name, array in arrays.items() if name not in constants}
    outputs = ["" if index in draw.unnamed else f"y{index}" for index in range(draw.outputs)]
    ir_version = helper.find_min_ir_version_for([helper.make_opsetid("", draw.opset)])
    declared = arrays if ir_version < 4 else feeds
    node = helper.make_node(draw.op, names, outputs, "node")
    node.attribute.extend(
        helper.make_attribute(name, value, attr_type=AttributeProto.INTS if value == [] else None)
        for name, value in draw.attributes.items()
    )
    graph = helper.make_graph(
        [node],
        "sample",
        [_value(name, array) for name, array in declared.items()],
        [ValueInfoProto(name=name) for name in outputs if name],
        [numpy_helper.from_array(array, name) for name, array in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", draw.opset)], ir_version=ir_version)
    try:
        return onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True), feeds
    except ValueError as error:  # its C++ throws for a few valid nodes: vector::reserve
        raise Void from error


def _value(name: str, array: np.ndarray) -> ValueInfoProto:
    return helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def _with_outputs(model: ModelProto, expected: Mapping[str, np.ndarray]) -> ModelProto:
    """Return the model with the types and shapes of its outputs."""
    del model.graph.output[:]
    model.graph.output.extend(_value(name, array) for name, array in expected.items())
    return model


def _expected(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> tuple[dict[str, np.ndarray], bool]:
    """Return ONNX Runtime's outputs, and False.

    Where it has no code for the node or is known to get it wrong, return those of onnx's reference evaluator, and False
    if ONNX Runtime computes the same of the lowered model. Raises `RuntimeFault` where neither runs.
    """
    if check(model, truth_target()):
        try:
            return _outputs(model, feeds), False
        except RuntimeFault as fault:
            if NO_CODE not in fault.message:
                raise
    expected = _reference_outputs(model, feeds)
    return expected, not _is_confirmed(model, feeds, expected)


def _outputs(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    with open_runner(model, truth_target(), timeout_s=TIMEOUT_S, once=True) as runner:
        return runner.infer(dict(feeds))


def _reference_outputs(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    types = {value.name: value.type.tensor_type.elem_type for value in model.graph.output}
    if not all(types.values()):
        raise RuntimeFault(REFERENCE, model_label(model), "the element type of an output is not known")
    with np.errstate(all="ignore"), Float64Runner(model) as evaluator:
        outputs = evaluator.infer(dict(feeds))
        return {
            name: np.asarray(array).astype(helper.tensor_dtype_to_np_dtype(types[name]))
            for name, array in outputs.items()
        }


def _is_confirmed(model: ModelProto, feeds: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> bool:
    """Return whether ONNX Runtime computes these outputs of the lowered model."""
    lowering = lower(model, truth_target())
    if not lowering:
        return False
    try:
        return check_outputs(expected, _outputs(lowering.model, feeds)).result == "pass"
    except RuntimeFault:
        return False
