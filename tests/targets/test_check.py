import numpy as np
import pytest
from onnx import helper

from fns_lab import targets
from fns_lab.targets.checking import MODEL
from tests.rewrite.graphs import model, node, values

SHAPE = (1, 3, 6, 8)


def reasons(proto, name):
    table = targets.check(proto, targets.load(name)).table
    return {row.op: row.reason for row in table[~table.supported].itertuples()}


def relu(opset=7, ir_version=3, **constants):
    return model([node("Relu", "x", "y")], SHAPE, constants, opset=opset, ir_version=ir_version)


def test_a_supported_model():
    result = targets.check(relu(), targets.load("onnxjs-0.1.3/cpu"))
    assert result
    assert str(result) == "onnxjs-0.1.3/cpu: its one node is supported"
    assert result.to_json() == {
        "target": "onnxjs-0.1.3/cpu",
        "supported": True,
        "ops": [{"op": "Relu", "opset": 7, "count": 1, "supported": True, "reason": ""}],
        "undefined_values": [],
    }


def test_the_values_that_ops_of_the_model_leave_open_are_listed():
    left_open = targets.check(relu(), targets.load("ort-web/webgpu")).to_json()["undefined_values"]
    assert left_open == [{"op": "*", "values": ["nan", "infinite", "denormal"]}]


def test_a_model_without_nodes_is_not_supported():
    empty = relu()
    del empty.graph.node[:]
    assert not targets.check(empty, targets.load("ort/cpu"))


@pytest.mark.parametrize(("ir_version", "name", "loads"), [
    (3, "onnxjs-0.1.3/cpu", True), (4, "onnxjs-0.1.3/cpu", False), (4, "onnxjs-0.1.8/cpu", True),
])  # fmt: skip
def test_ir_version(ir_version, name, loads):
    assert (MODEL not in reasons(relu(ir_version=ir_version), name)) == loads


def test_initializers_must_be_inputs_in_old_versions():
    proto = model([node("Add", "x", "c", "y")], SHAPE, {"c": values(1)}, opset=7, ir_version=3)
    assert "initializers" in reasons(proto, "onnxjs-0.1.3/wasm")[MODEL]
    assert str(targets.check(proto, targets.load("onnxjs-0.1.3/wasm"))).endswith("must be graph inputs as well")
    assert not reasons(proto, "onnxjs-0.1.8/wasm")


def test_an_op_that_the_backend_does_not_have():
    proto = model([node("Pad", "x", "y", pads=[0, 0, 1, 1] * 2)], SHAPE, opset=7, ir_version=3)
    assert str(targets.check(proto, targets.load("onnxjs-0.1.4/cpu"))) == "onnxjs-0.1.4/cpu: not supported: 1 Pad"
    assert reasons(proto, "onnxjs-0.1.4/cpu")["Pad"] == "the cpu backend has no Pad"
    assert not reasons(proto, "onnxjs-0.1.4/webgl")


def test_a_selector_that_ends_before_the_model_s_opset():
    constants = {"pads": np.array([0, 0, 1, 1] * 2)}
    proto = model([node("Pad", "x", "pads", "y")], SHAPE, constants, opset=13)
    assert "2-10" in reasons(proto, "onnxjs-0.1.8/cpu")["Pad"]


@pytest.mark.parametrize("name", ["onnxjs-0.1.4/webgl", "onnxjs-0.1.8/cpu", "ort-web/webgl"])
def test_an_op_that_is_read_as_of_an_older_opset_than_it_is_written_for(name):
    newer = model([node("ReduceMean", "x", "axes", "y")], SHAPE, {"axes": np.array([2, 3])}, opset=18, ir_version=3)
    assert "ReduceMean" in reasons(newer, name)
    older = model([node("ReduceMean", "x", "y", axes=[2, 3])], SHAPE, opset=7, ir_version=3)
    assert not reasons(older, name)


def test_softmax_changed_its_meaning_at_13():
    proto = model([node("Softmax", "x", "y", axis=1)], SHAPE, opset=13, ir_version=3)
    assert "changed its meaning" in reasons(proto, "onnxjs-0.1.3/wasm")["Softmax"]
    assert not reasons(model([node("Softmax", "x", "y", axis=1)], SHAPE, opset=7, ir_version=3), "onnxjs-0.1.3/wasm")


def foreign(op_type, domain, **attributes):
    return model([node(op_type, "x", "y", domain=domain, **attributes)], SHAPE)


@pytest.mark.parametrize(("op_type", "domain", "name", "runs"), [
    ("Scaler", "ai.onnx.ml", "ort/cpu", True),
    ("Scaler", "ai.onnx.ml", "ort-web/wasm", True),
    ("Scaler", "ai.onnx.ml", "ort-web/webgpu", False),
    ("Scaler", "ai.onnx.ml", "onnxjs-0.1.8/cpu", False),
    ("QuickGelu", "com.microsoft", "ort-web/webgpu", True),
    ("QuickGelu", "com.microsoft", "opencv/cpu", False),
    ("Relu", "com.example", "ort/cpu", False),
])  # fmt: skip
def test_an_op_of_another_domain(op_type, domain, name, runs):
    expected = {} if runs else {f"{domain}::{op_type}": f"{domain}::{op_type}: the target has no such op"}
    assert {op: why for op, why in reasons(foreign(op_type, domain), name).items() if op != MODEL} == expected


@pytest.mark.parametrize(
    ("op_type", "opset", "attributes"),
    [("Invented", 18, {}), ("Gelu", 18, {}), ("Upsample", 13, {"scales": [1.0] * 4})],
)
def test_an_op_that_onnx_does_not_have_at_the_opset(op_type, opset, attributes):
    """ONNX Runtime has every op of ONNX, but none that the opset does not have yet, or no longer."""
    proto = model([node("Relu", "x", "y", **attributes)], SHAPE, opset=opset)
    proto.graph.node[0].op_type = op_type
    assert reasons(proto, "ort/cpu") == {op_type: f"ONNX has no {op_type} at opset {opset}"}


def with_function():
    body = [node("Relu", "a", "r"), node("Upsample", "r", "b", scales=[1.0] * 4)]
    function = helper.make_function("com.example", "Mine", ["a"], ["b"], body, [helper.make_opsetid("", 18)])
    proto = foreign("Mine", "com.example")
    proto.functions.append(function)
    return proto


def test_a_function_of_the_model():
    assert reasons(with_function(), "ort/cpu") == {"Upsample": "ONNX has no Upsample at opset 18"}
    assert "is a function of the model" in reasons(with_function(), "tract/cpu")["com.example::Mine"]


def test_what_stands_inside_an_if_is_checked():
    branches = {
        name: helper.make_graph([node(op, "x", "z")], name, [], [helper.make_tensor_value_info("z", 1, SHAPE)])
        for name, op in (("then_branch", "Relu"), ("else_branch", "Det"))
    }
    proto = model([node("If", "c", "y", **branches)], SHAPE, {"c": np.array(True)})
    assert targets.check(proto, targets.load("ort/cpu"))
    assert set(reasons(proto, "tract/cpu")) == {"Det"}
    assert set(reasons(proto, "ort-web/webgl")) == {"If", "Det"}


@pytest.mark.parametrize(("outputs", "missing"), [(["", "indices"], 0), (["largest", ""], 1)])
def test_an_output_that_the_op_must_have_needs_a_name(outputs, missing):
    proto = model([helper.make_node("TopK", ["x", "k"], outputs)], SHAPE, {"k": np.array([2])})
    assert reasons(proto, "ort/cpu") == {"TopK": f"its output {missing}, which ONNX requires, has no name"}
