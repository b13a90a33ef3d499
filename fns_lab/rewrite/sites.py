"""Sites: places of a model where several rules, or none, would do, so that the choice is one of speed alone.

Two places are the same site when they hold the same ops with the same attributes at the same shapes; weights do not
count. `lower` takes a choice by site; `fns_lab.measure.tune` finds the best by measuring each site's own little model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx
import onnx_ir as ir

KEEP = "keep"
"""The choice of no rule."""
SMALL = 4
"""Constants of at most so many values (pads, scales, axes) are part of what a site is; longer ones are weights."""


@dataclass
class Site:
    """One site, as met while a model was lowered: `alternatives` names the rules that hold there, `places` where it is."""

    key: str
    label: str
    model: onnx.ModelProto
    """The place alone: its inputs are the values it reads that are not constant, its output the last node's."""
    alternatives: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def note(self, alternative: str, place: str) -> None:
        """This rule holds at this place, the name of the value that the place computes."""
        if alternative not in self.alternatives:
            self.alternatives.append(alternative)
        if place not in self.places:
            self.places.append(place)


def in_order(nodes: Sequence[ir.Node]) -> list[ir.Node]:
    """Matched nodes so that each comes after those that it reads."""
    left, ordered = list(nodes), []
    while left:
        ready = [n for n in left if not any(v is not None and v.producer() in left for v in n.inputs)]
        ordered += ready
        left = [n for n in left if n not in ready]
    return ordered


def key_of(nodes: Sequence[ir.Node]) -> str:
    """What makes two places one site, as text."""
    numbers: dict[str, int] = {}
    return "; ".join(_node_text(node, numbers) for node in in_order(nodes))


def site_of(nodes: Sequence[ir.Node], opset: int) -> Site | None:
    """The site that these nodes are, without alternatives yet; None where a shape is not fixed or a value is not float32."""
    nodes = in_order(nodes)
    made = [value for node in nodes for value in node.outputs]
    read = list(dict.fromkeys(v for node in nodes for v in node.inputs if v is not None and v not in made))
    inputs, y = [v for v in read if _const(v) is None], nodes[-1].outputs[0]
    if not inputs or not all(_is_fixed_float(v) for v in (*inputs, y)):
        return None
    graph = onnx.helper.make_graph(
        [ir.serde.serialize_node(node) for node in nodes],
        "site",
        [ir.serde.serialize_value(v) for v in inputs],
        [ir.serde.serialize_value(y)],
        [onnx.numpy_helper.from_array(_const(v).numpy(), v.name) for v in read if _const(v) is not None],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    label = f"{' + '.join(n.op_type for n in nodes)} {_shape_text(inputs[0])} to {_shape_text(y)}"
    return Site(key_of(nodes), label, model)


def _node_text(node: ir.Node, numbers: dict[str, int]) -> str:
    inputs = ", ".join(_value_text(v, numbers) for v in node.inputs)
    attributes = ", ".join(f"{name}={node.attributes[name].value}" for name in sorted(node.attributes))
    outputs = ", ".join(_value_text(v, numbers) for v in node.outputs)
    return f"{outputs} = {node.op_type}({inputs}; {attributes})"


def _value_text(value: ir.Value | None, numbers: dict[str, int]) -> str:
    if value is None:
        return "-"
    if (tensor := _const(value)) is not None:
        small = tensor.size <= SMALL or tensor.dtype == ir.DataType.INT64
        return str(tensor.numpy().tolist()) if small else f"constant {_shape_text(value)}"
    return f"v{numbers.setdefault(value.name, len(numbers))} {value.dtype} {value.shape}"


def _const(value: ir.Value) -> ir.TensorProtocol | None:
    return ir.convenience.get_const_tensor(value)


def _is_fixed_float(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.FLOAT and value.shape is not None and value.shape.is_static()


def _shape_text(value: ir.Value) -> str:
    return "x".join(map(str, value.shape)) or "()"
