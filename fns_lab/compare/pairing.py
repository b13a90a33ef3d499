"""Which value of one model stands for which value of another."""

from __future__ import annotations

import ast
from collections.abc import Set

import onnx

from fns_lab import models
from fns_lab.compare.graph import Graph

SCOPES_KEY = "pkg.torch.onnx.name_scopes"
"""Node metadata of PyTorch's exporter: the path of each module around the op, from the network inwards, then the op's
own name: `['', 'res1', 'res1.conv1', 'res1.conv1.conv2d', 'conv2d_3']`."""


def ops_of(model: onnx.ModelProto) -> dict[str, str]:
    """The op type that computes each value, in the order of the graph; "" for an output that no node computes."""
    ops = {value: models.op_name(node) for node in model.graph.node for value in node.output if value}
    return ops | {output.name: "" for output in model.graph.output if output.name not in ops}


def rules_of(model: onnx.ModelProto) -> dict[str, str]:
    """The rewrite rule that wrote the node of each value, or ""."""
    rules = dict.fromkeys(ops_of(model), "")
    for node in model.graph.node:
        if node.doc_string.startswith(models.RULE_PREFIX):
            rule = node.doc_string.removeprefix(models.RULE_PREFIX).strip()
            rules |= {value: rule for value in node.output if value}
    return rules


def partners(a: onnx.ModelProto, b: onnx.ModelProto) -> dict[str, str]:
    """Name in a to name in b, each at most once.

    1. Graph outputs pair by name, those left over by position: an output's partner is an output.
    2. Inner values pair by name, unless both nodes say which PyTorch module they come from and it is not the same:
       two exports of two networks number their values `add`, `add_1`, ... and meet by accident.
    3. What a module of that path computes pairs with what the module of the same path computes in b, so that a layer
       pairs with the same layer written in other ops. A node that a rewrite rule wrote keeps to its name.
    """
    found = _outputs(a, b)
    modules_a, modules_b, rules = _modules(a), _modules(b), rules_of(b)
    free = rules.keys() - set(found.values())
    for name in ops_of(a):
        module_a, module_b = modules_a.get(name), modules_b.get(name)
        if name in free and name not in found and (module_a is None or module_b is None or module_a == module_b):
            found[name] = name
            free.remove(name)
    results_b = _results(modules_b)
    for module, name in _results(modules_a).items():
        partner = results_b.get(module)
        if name not in found and partner in free and not rules[partner]:
            found[name] = partner
            free.remove(partner)
    return found


def owners(graph: Graph, paired: Set[str]) -> dict[str, str]:
    """For each value that did not pair, the paired one that it helps to compute: what a rewrite has inside belongs to
    the op that it replaced. Values that lead to no paired one are not here."""
    found: dict[str, str] = {}
    for value in graph.producer:
        if value in paired:
            inside = graph.ancestors([value], stop=paired - {value})
            found |= {
                name: value for i in inside for name in graph.nodes[i].output if name not in paired | found.keys()
            }
    return found


def _outputs(a: onnx.ModelProto, b: onnx.ModelProto) -> dict[str, str]:
    outputs_a = [output.name for output in a.graph.output]
    outputs_b = [output.name for output in b.graph.output]
    left_a = [name for name in outputs_a if name not in outputs_b]
    left_b = [name for name in outputs_b if name not in outputs_a]
    by_name = {name: name for name in outputs_a if name in outputs_b}
    return by_name | dict(zip(left_a, left_b, strict=False))


def _modules(model: onnx.ModelProto) -> dict[str, tuple[str, ...]]:
    """The module paths around each value's node, outermost first, for nodes that say so."""
    found = {}
    for node in model.graph.node:
        text = next((entry.value for entry in node.metadata_props if entry.key == SCOPES_KEY), None)
        if text is not None:
            found |= {value: tuple(ast.literal_eval(text)[1:-1]) for value in node.output if value}
    return found


def _results(modules: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """The last value computed inside each module: its result."""
    return {path: value for value, paths in modules.items() for path in paths}
