"""Faulty copies of a model, to find the fault in: an exercise whose answers are checked and not given away."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from onnx import ModelProto, NodeProto, helper, numpy_helper

from fns_lab.errors import InputError

WRONG_EPS = 30.0
"""Against 1e-5: a variance of 0..255 images after a convolution is some hundreds to thousands."""


@dataclass(frozen=True)
class FaultyModel:
    """A model with one fault in it. Its text does not say which."""

    model: ModelProto = field(repr=False)
    _value: str = field(repr=False)
    _fault: str = field(repr=False)

    def check_answer(self, value: str) -> str:
        """What to say to whoever names `value` as the first one that is computed wrongly; "" names none."""
        if not value:
            return "not answered yet"
        if value != self._value:
            return f"no, {value} is not where it begins"
        return f"right: {value} has {self._fault}"


def exercise_set(model: ModelProto, *, seed: int) -> dict[str, FaultyModel]:
    """A faulty_model for each of `FAULTS`, in an order and at places that `seed` draws.

    Raises `InputError` for a model that has no place for one of them.
    """
    rng = np.random.default_rng(seed)
    drawn = (_infected(model, FAULTS[i], rng) for i in rng.permutation(len(FAULTS)))
    return {f"faulty model {i}": faulty_model for i, faulty_model in enumerate(drawn, 1)}


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


FAULTS: tuple[tuple[str, str, Callable[[ModelProto, NodeProto], None]], ...] = (
    ("InstanceNormalization", "another epsilon", _wrong_eps),
    ("Conv", "a kernel with height and width swapped", _swapped_axes),
    ("Pad", "zeros where the reflections were", _zeros),
)
"""Op that can have it, what is said of it, and what plants it."""


def _infected(model: ModelProto, fault: tuple, rng: np.random.Generator) -> FaultyModel:
    op, text, plant = fault
    copy = ModelProto()
    copy.CopyFrom(model)
    nodes = [node for node in copy.graph.node if node.op_type == op]
    if not nodes:
        raise InputError(f"the model has no {op}, so a fault of it cannot be planted")
    node = nodes[rng.integers(len(nodes))]
    plant(copy, node)
    return FaultyModel(copy, node.output[0], text)


def _set(node: NodeProto, name: str, value: float | str) -> None:
    for attribute in [a for a in node.attribute if a.name == name]:
        node.attribute.remove(attribute)
    node.attribute.append(helper.make_attribute(name, value))
