"""Sites: nodes of a model that several rules can rewrite, or none, so that the choice is one of speed alone.

Two places of a model are the same site if they hold the same ops with the same attributes at the same shapes; weights
do not count. `lower` takes a choice per site; `fns_lab.measure.tune` finds the best one by measuring each site's model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import onnx
import onnx_ir as ir

from fns_lab.errors import shape_text

KEEP = "keep"
"""The choice of no rule: the site stays unmodified."""
SMALL = 4
"""Most elements of a float constant (pads, scales) whose values are part of a site's key; larger ones are weights."""


@dataclass
class Site:
    """One site of a model.

    - `key`: what makes two places the same site, as text
    - `label`: op types and shapes, for tables
    - `model`: the site alone; inputs are what it reads that isn't constant, the output is the last node's
    - `alternatives`: names of the rules that can rewrite it
    - `places`: names of the values that it computes, one per place in the model
    """

    key: str
    label: str
    model: onnx.ModelProto
    alternatives: list[str] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def add(self, alternative: str, place: str) -> None:
        """Add a rule that can rewrite the site at this place."""
        if alternative not in self.alternatives:
            self.alternatives.append(alternative)
        if place not in self.places:
            self.places.append(place)


def in_order(nodes: Sequence[ir.Node]) -> list[ir.Node]:
    """Return the nodes so that each comes after those whose outputs it reads."""
    left, ordered = list(nodes), list[ir.Node]()
    while left:
        ready = [n for n in left if not any(v is not None and v.producer() in left for v in n.inputs)]
        ordered += ready
        left = [n for n in left if n not in ready]
    return ordered


def key_of(nodes: Sequence[ir.Node]) -> str:
    """Return the key of the site that these nodes are."""
    numbers: dict[ir.Value, int] = {}
    return "; ".join(_node_text(node, numbers) for node in in_order(nodes))


def site_of(nodes: Sequence[ir.Node], opset: int) -> Site | None:
    """Return the site that these nodes are, None if a shape isn't fixed or a value isn't float32."""
    nodes = in_order(nodes)
    outputs = [value for node in nodes for value in node.outputs]
    read = list(dict.fromkeys(v for node in nodes for v in node.inputs if v is not None and v not in outputs))
    inputs, y = [v for v in read if _const(v) is None], nodes[-1].outputs[0]
    if not inputs or not all(_is_fixed_float(v) for v in (*inputs, y)):
        return None
    graph = onnx.helper.make_graph(
        [ir.serde.serialize_node(node) for node in nodes],
        "site",
        [ir.serde.serialize_value(v) for v in inputs],
        [ir.serde.serialize_value(y)],
        [onnx.numpy_helper.from_array(t.numpy(), v.name) for v in read if (t := _const(v)) is not None],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", opset)], ir_version=10)
    label = f"{' + '.join(n.op_type for n in nodes)} {_shape_text(inputs[0])} to {_shape_text(y)}"
    return Site(key_of(nodes), label, model)


def _node_text(node: ir.Node, numbers: dict[ir.Value, int]) -> str:
    inputs = ", ".join(_value_text(v, numbers) for v in node.inputs)
    attributes = ", ".join(f"{name}={node.attributes[name].value}" for name in sorted(node.attributes))
    outputs = ", ".join(_value_text(v, numbers) for v in node.outputs)
    return f"{outputs} = {node.op_type}({inputs}; {attributes})"


def _value_text(value: ir.Value | None, numbers: dict[ir.Value, int]) -> str:
    if value is None:
        return "-"
    if (tensor := _const(value)) is not None:
        small = tensor.size <= SMALL or tensor.dtype == ir.DataType.INT64
        return str(tensor.numpy().tolist()) if small else f"constant {_shape_text(value)}"
    return f"v{numbers.setdefault(value, len(numbers))} {value.dtype} {value.shape}"


def _const(value: ir.Value) -> ir.TensorProtocol | None:
    return ir.convenience.get_const_tensor(value)


def _is_fixed_float(value: ir.Value) -> bool:
    return value.dtype == ir.DataType.FLOAT and value.shape is not None and value.shape.is_static()


def _shape_text(value: ir.Value) -> str:
    return shape_text(value.shape or ())
