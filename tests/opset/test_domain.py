"""ONNX's own operators under both names of their domain."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import helper

from fns_lab import targets
from fns_lab.errors import InputError
from fns_lab.opset.domain import name_domain_alike, onnx_opset
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node, values

SHAPE = (2, 3, 4)


def softmax(*imports, **attributes):
    proto = model([node("Softmax", "x", "y", **attributes)], SHAPE, opset=13)
    return importing(proto, *imports)


def importing(proto, *imports):
    del proto.opset_import[:]
    proto.opset_import.extend(helper.make_opsetid(*each) for each in imports)
    return proto


@pytest.mark.parametrize(("imports", "opset"), [
    ([("ai.onnx", 13)], 13),
    ([("", 13), ("ai.onnx", 13)], 13),
    ([("com.microsoft", 1)], 1),
])  # fmt: skip
def test_the_opset_under_either_name(imports, opset):
    assert onnx_opset(ir.from_proto(softmax(*imports, axis=1))) == opset


@pytest.mark.parametrize("low_first", [True, False])
@pytest.mark.parametrize("short", ["", "ai.onnx"])
def test_imported_at_two_opsets(short, low_first):
    other = {"": "ai.onnx", "ai.onnx": ""}[short]
    imports = [(short, 9), (other, 13)] if low_first else [(other, 13), (short, 9)]
    relu = importing(model([node("Relu", "x", "y")], SHAPE, opset=13), *imports)
    assert onnx_opset(ir.from_proto(relu)) == 13
    with pytest.raises(InputError, match="twice, at opset 9 and at opset 13, and its Softmax"):
        onnx_opset(ir.from_proto(softmax(*imports, axis=1)))


def test_one_name_is_left():
    proto = softmax(("ai.onnx", 13), ("com.microsoft", 1), axis=1)
    proto.graph.node[0].domain = "ai.onnx"
    renamed = ir.from_proto(proto)
    name_domain_alike(renamed)
    assert dict(renamed.graph.opset_imports) == {"": 13, "com.microsoft": 1}
    assert renamed.graph[0].domain == ""


def test_check_reads_the_opset_under_the_long_name():
    assert not targets.check(softmax(("ai.onnx", 13), axis=1), targets.load("onnxjs-0.1.8/cpu"))
    assert targets.check(softmax(("ai.onnx", 13), axis=1), targets.load("ort/cpu"))


def test_lower_writes_the_short_name():
    x = values(*SHAPE)
    expected = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    lowered = lower(softmax(("ai.onnx", 13), axis=1), targets.load("onnxjs-0.1.8/cpu"))
    assert lowered
    assert [(each.domain, each.version) for each in lowered.model.opset_import] == [("", 7)]
    onnx.checker.check_model(lowered.model)
    with open_runner(lowered.model, "ort/cpu") as runner:
        np.testing.assert_allclose(runner.infer({"x": x})["y"], expected, rtol=1e-5)
