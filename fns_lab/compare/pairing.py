"""Pair the values of two models: by name, by position, and by PyTorch module."""

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
    """Return the op type that computes each value, in graph order; "" for an output that no node computes."""
    ops = {value: models.op_name(node) for node in model.graph.node for value in node.output if value}
    return ops | {output.name: "" for output in model.graph.output if output.name not in ops}


def rules_of(model: onnx.ModelProto) -> dict[str, str]:
    """Return the name of the rewrite rule that wrote the node of each value, or ""."""
    rules = dict.fromkeys(ops_of(model), "")
    for node in model.graph.node:
        if node.doc_string.startswith(models.RULE_PREFIX):
            rule = node.doc_string.removeprefix(models.RULE_PREFIX).strip()
            rules |= {value: rule for value in node.output if value}
    return rules


def partners(a: onnx.ModelProto, b: onnx.ModelProto) -> dict[str, str]:
    """Return the names in b by names in a, of the values that pair up. Each value pairs at most once.

    1. Graph outputs pair by name, then the rest by position. The partner of an output is always an output.
    2. Inner values pair by name, unless both nodes say which PyTorch module they come from and the modules differ: two
       exports number their values `add`, `add_1`, ..., so equal names may be a coincidence.
    3. The result of a module pairs with the result of the module of the same path in b, so that a layer pairs with the
       same layer written in other ops. A value whose node a rewrite rule wrote pairs only by name.
    """
    pairs = _outputs(a, b)
    modules_a, modules_b, rules = _modules(a), _modules(b), rules_of(b)
    free = rules.keys() - set(pairs.values())
    for name in ops_of(a):
        module_a, module_b = modules_a.get(name), modules_b.get(name)
        if name in free and name not in pairs and (module_a is None or module_b is None or module_a == module_b):
            pairs[name] = name
            free.remove(name)
    results_b = _results(modules_b)
    for module, name in _results(modules_a).items():
        partner = results_b.get(module)
        if name not in pairs and partner in free and not rules[partner]:
            pairs[name] = partner
            free.remove(partner)
    return pairs


def owners(graph: Graph, paired: Set[str]) -> dict[str, str]:
    """Return, for each value without a partner, the first value in `paired` that it helps to compute.

    So a value inside a rewrite belongs to the value of the op that was rewritten. Values that no paired value is
    computed from are left out.
    """
    result: dict[str, str] = {}
    for value in filter(paired.__contains__, graph.producer):
        for i in graph.nodes_behind(value, stop=paired):
            for name in graph.nodes[i].output:
                if name not in paired:
                    result.setdefault(name, value)
    return result


def _outputs(a: onnx.ModelProto, b: onnx.ModelProto) -> dict[str, str]:
    outputs_a = [output.name for output in a.graph.output]
    outputs_b = [output.name for output in b.graph.output]
    left_a = [name for name in outputs_a if name not in outputs_b]
    left_b = [name for name in outputs_b if name not in outputs_a]
    by_name = {name: name for name in outputs_a if name in outputs_b}
    return by_name | dict(zip(left_a, left_b, strict=False))


def _modules(model: onnx.ModelProto) -> dict[str, tuple[str, ...]]:
    """Return the paths of the modules around each value's node, outermost first, for nodes that have them."""
    paths: dict[str, tuple[str, ...]] = {}
    for node in model.graph.node:
        text = next((entry.value for entry in node.metadata_props if entry.key == SCOPES_KEY), None)
        if text is not None:
            paths |= {value: tuple(ast.literal_eval(text)[1:-1]) for value in node.output if value}
    return paths


def _results(modules: dict[str, tuple[str, ...]]) -> dict[str, str]:
    """Return the last value computed inside each module, which is its result."""
    return {path: value for value, paths in modules.items() for path in paths}
