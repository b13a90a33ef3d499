"""Names for the values of an export: after the module that computes them, or after the module and the op."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from fns_lab.compare.pairing import SCOPES_KEY

if TYPE_CHECKING:
    import onnx_ir as ir

    from fns_lab.export.modules import Outputs


def name_values(graph: ir.Graph, outputs: Outputs) -> dict[str, tuple[str, ...]]:
    """Name every value, and return the names of the values that each call of a module gave, `""` for lost ones.

    The output of a module is named after its path, `act_1` for the second call of `act`, and `lstm.0`, `lstm.1` if it
    has several; any other value after its module and its op, `conv1.reflection_pad`. Graph inputs and outputs keep
    their names. The calls in the result are those of `outputs`, `act@1` for the second one of `act`.
    """
    results = _innermost(outputs)
    values = (*graph.inputs, *graph.outputs, *graph.initializers.values())
    taken = {value.name for value in values if value.name}
    names: dict[str, str] = {}
    for node in graph:
        for value in node.outputs:
            traced = value.name or ""
            if value not in graph.outputs:
                value.name = _free(results.get(traced) or f"{_scope(node)}.{_op(node)}".strip("."), taken)
            names[traced] = value.name or ""
        node.name = node.outputs[0].name
    return {call: tuple(names.get(value, "") for value in values) for call, values in outputs.items()}


def _innermost(outputs: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    """Return, for each traced value that a module gave, the name to give it: that of the innermost such module."""
    found: dict[str, str] = {}
    for call in sorted(outputs, key=lambda call: -call.count(".")):
        path = call.partition("@")[0]
        for index, value in enumerate(outputs[call]):
            found.setdefault(value, path if len(outputs[call]) == 1 else f"{path}.{index}")
    return found


def _scope(node: ir.Node) -> str:
    """Return the path of the module that the node comes from, `""` for the network's own forward."""
    return str(ast.literal_eval(node.metadata_props.get(SCOPES_KEY, "['', '']"))[-2])


def _op(node: ir.Node) -> str:
    """Return `conv2d` for what torch calls `conv2d_3`; for a node without a torch op, its ONNX op in lower case."""
    name = ast.literal_eval(node.metadata_props.get(SCOPES_KEY, "['']"))[-1] or node.op_type.lower()
    return re.sub(r"_\d+$", "", str(name))


def _free(name: str, taken: set[str]) -> str:
    """Return `name`, or the first of `name_1`, `name_2` and so on that is not in `taken`, and add it there."""
    candidate, count = name, 0
    while candidate in taken:
        count += 1
        candidate = f"{name}_{count}"
    taken.add(candidate)
    return candidate
