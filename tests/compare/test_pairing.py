from __future__ import annotations

import pytest
from onnx import ModelProto

from fns_lab.compare import VALUES_FLOAT32, collect, compare
from fns_lab.compare.pairing import SCOPES_KEY, partners
from tests import small_network as small


def with_modules(model: ModelProto, modules: dict[str, list[str]]) -> ModelProto:
    """`model` as PyTorch's exporter would mark it: the modules around the node of each value, outermost first."""
    for node in model.graph.node:
        name = node.output[0]
        if name in modules:
            node.metadata_props.add(key=SCOPES_KEY, value=repr(["", *modules[name], name]))
    return model


def renamed(model: ModelProto, names: dict[str, str]) -> ModelProto:
    for node in model.graph.node:
        node.doc_string = ""
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    return model


REGULAR = {"conv1": ["head", "head.conv"], "norm": ["in1"], "relu": [], "output": ["tail"]}
INSIDE = ["mu", "centred", "square", "var", "var_eps", "sd", "unit", "scaled", "normalised"]


@pytest.fixture
def pair():
    """The same network from two exports: the second has `relu` inside the normalisation and no `norm`."""
    b = renamed(small.rewritten(), {"norm": "normalised", "relu": "relu_1", "sd": "relu"})
    modules = {"conv1": ["head", "head.conv"], "relu": ["in1"], "relu_1": [], "output": ["tail"]}
    return with_modules(small.regular(), REGULAR), with_modules(b, modules | {name: ["in1"] for name in INSIDE})


def test_a_layer_pairs_with_the_same_layer_written_in_other_ops(pair):
    assert partners(*pair) == {"conv1": "conv1", "norm": "normalised", "output": "output"}


def test_a_name_met_in_another_module_is_no_pair(pair):
    a, b = pair
    comparison = compare(
        a, b, collect(a, small.feeds(), small.run), collect(b, small.feeds(), small.run), VALUES_FLOAT32
    )
    assert comparison, str(comparison)
    assert ("relu", "no partner in B (part of 'output')") in comparison.skipped
    assert ("relu", "no partner in A (part of 'norm')") in comparison.skipped


def test_without_modules_names_alone_decide(pair):
    a, b = pair
    for node in b.graph.node:
        del node.metadata_props[:]
    assert partners(a, b) == {"conv1": "conv1", "relu": "relu", "output": "output"}


def test_a_node_that_a_rule_wrote_keeps_to_its_name():
    a = with_modules(small.regular(), REGULAR)
    b = with_modules(small.rewritten(), {"scaled": ["in1"]})
    b.graph.node[-3].output[0] = b.graph.node[-2].input[0] = "shifted"
    assert "norm" not in partners(a, b)


def test_every_call_of_a_module_is_compared():
    import torch

    from fns_lab.export import export
    from fns_lab.runtimes.torch_runner import TorchRunner

    class Twice(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.act = torch.nn.Sigmoid()

        def forward(self, x):
            return self.act(self.act(x) - 1) + x

    exported, x = export(Twice(), (4, 6)), small.feeds()["input"][:1, :, :4, :6] / 255
    with TorchRunner(Twice()) as runner:
        values = runner.values({"input": x}, exported.modules)
    model = exported.model
    comparison = compare(model, model, values, collect(model, {"input": x}, small.run), VALUES_FLOAT32)
    assert comparison
    assert list(comparison.table["value"]) == ["act", "act_1", "output"]
    assert [value for value, _ in comparison.skipped] == ["sub"]
