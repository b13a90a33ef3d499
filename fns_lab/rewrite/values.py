"""Values of a graph: unused names, and outputs, each of which a node computes and keeps its name."""

from __future__ import annotations

import onnx_ir as ir


def unused_name(name: str, used: set[str]) -> str:
    """Return `name`, or `name_1`, `name_2`... if it is used, and count it as used."""
    number, unused = 0, name
    while unused in used:
        number += 1
        unused = f"{name}_{number}"
    used.add(unused)
    return unused


def names_of_values(model: ir.Model) -> set[str]:
    """Return the names of all values of a model, those inside bodies too."""
    given = (value for graph in model.graphs() for value in (*graph.inputs, *graph.initializers.values()))
    computed = (output for node in model.graph.all_nodes() for output in node.outputs)
    return {value.name for value in (*given, *computed) if value.name}


def compute_outputs(model: ir.Model) -> None:
    """In place: let an Identity node give out each constant that is a graph output, under the output's name.

    The outputs of a body get an Identity too where they are values of an outer graph, inputs of the body, or the same
    value twice. A graph input that is an output too has one name for both, and stays.
    """
    used = names_of_values(model)
    for graph in model.graphs():
        is_body = graph is not model.graph
        seen: set[ir.Value] = set()
        for index, value in enumerate(graph.outputs):
            producer = value.producer()
            foreign = producer is None or producer.graph is not graph or value in seen
            if value.is_initializer() or (is_body and foreign):
                graph.outputs[index] = _copy(value, graph, used, rename=value.is_initializer() and not is_body)
            seen.add(value)


def _copy(value: ir.Value, graph: ir.Graph, used: set[str], *, rename: bool) -> ir.Value:
    """Add an Identity node to the end of `graph` and return its output, which takes the name of `value` if it asked."""
    name = value.name or "v"
    if rename:
        if value.const_value is not None:  # that of the model which was read keeps its name
            value.const_value = ir.serde.deserialize_tensor(ir.serde.serialize_tensor(value.const_value))
        value.name = unused_name(name, used)
    node = ir.Node("", "Identity", [value], name=f"copy_of_{value.name}")
    output = node.outputs[0]
    output.name = name if rename else unused_name(name, used)
    output.type, output.shape = value.type, value.shape
    graph.append(node)
    return output


def remove_identities(model: ir.Model) -> None:
    """In place: remove each Identity node without which every graph output can keep its name."""
    for node in list(model.graph.all_nodes()):
        if node.op_type == "Identity" and node.domain == "" and node.inputs[0] is not None and node.graph is not None:
            x, y = node.inputs[0], node.outputs[0]
            if not y.is_graph_output() or _can_take_a_name(x, node.graph):
                redirect(y, x, node)
                node.graph.remove(node, safe=True)


def redirect(y: ir.Value, x: ir.Value, node: ir.Node) -> None:
    """In place: let all that reads or gives out `y` have `x` instead; `node`, which computes `y`, stays.

    `x` takes the name of a graph output `y`. If it can't, because it has a name to keep, the output is a copy of it.
    """
    graph = node.graph
    if y.is_graph_output() and graph is not None:
        if not _can_take_a_name(x, graph):
            copy = ir.Node("", "Identity", [x], name=f"copy_of_{x.name}")
            graph.insert_after(node, copy)
            x = copy.outputs[0]
        x.name, y.name = y.name, None
    x.type, x.shape = x.type or y.type, x.shape if x.shape is not None else y.shape
    ir.convenience.replace_all_uses_with(y, x, replace_graph_outputs=True)


def _can_take_a_name(x: ir.Value, graph: ir.Graph) -> bool:
    """Return whether a graph output may be `x`: a node of this graph computes it, and it is no output yet."""
    producer = x.producer()
    return producer is not None and producer.graph is graph and not x.is_graph_output()
