"""Copies of a model with one planted fault each, as an exercise: name the first wrong value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from fns_lab.errors import InputError

WRONG_EPS = 30.0
"""The epsilon planted in place of 1e-5. After a convolution of an image, 0..255, variances are in the hundreds to
thousands."""


def exercise_set(model: ModelProto, *, seed: int) -> dict[str, ModelProto]:
    """Return one faulty copy per fault in `FAULTS`, by the names "faulty model 1", "faulty model 2", ...

    `seed` draws their order and the nodes. Raises `InputError` for a model without an op that a fault needs.
    """
    rng = np.random.default_rng(seed)
    faulty_models = [_planted(model, FAULTS[i], rng) for i in rng.permutation(len(FAULTS))]
    return {f"faulty model {i}": faulty_model for i, faulty_model in enumerate(faulty_models, 1)}


def _wrong_eps(model: ModelProto, node: NodeProto) -> None:
    _set(node, "epsilon", WRONG_EPS)


def _swapped_axes(model: ModelProto, node: NodeProto) -> None:
    tensor = next(t for t in model.graph.initializer if t.name == node.input[1])
    swapped = np.ascontiguousarray(numpy_helper.to_array(tensor).swapaxes(2, 3))
    name = f"{tensor.name}.weight"
    model.graph.initializer.append(numpy_helper.from_array(swapped, name))
    node.input[1] = name


def _zeros(model: ModelProto, node: NodeProto) -> None:
    _set(node, "mode", "constant")


Fault = tuple[str, str, Callable[[ModelProto, NodeProto], None]]
"""Op type of the node, the fault in words, and the function that plants it in a node."""

FAULTS: tuple[Fault, ...] = (
    ("InstanceNormalization", "another epsilon", _wrong_eps),
    ("Conv", "a kernel with height and width swapped", _swapped_axes),
    ("Pad", "padding with zeros in place of reflections", _zeros),
)
"""The faults that are planted."""


def _planted(model: ModelProto, fault: Fault, rng: np.random.Generator) -> ModelProto:
    op, _, plant = fault
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = [node for node in copy.graph.node if node.op_type == op]
    if not nodes:
        raise InputError(f"the model has no {op} in which to plant a fault")
    plant(copy, nodes[rng.integers(len(nodes))])
    return copy


def _set(node: NodeProto, name: str, value: float | str) -> None:
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute(name, value))
