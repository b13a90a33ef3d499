"""Names, number, order and types of a model's outputs stay, whatever is given out."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import values
from tests.rewrite.whole_models import assert_lowers_to_the_same, assert_same_outputs, outputs, value, whole_model

X = (2, 3, 4)
COPY = "Identity"


def node(op_type, inputs, outputs, **attributes):
    return helper.make_node(op_type, inputs.split(), outputs.split(), **attributes)


CASES = {
    "one value under two names": ([node("Relu", "x", "a"), node(COPY, "a", "b")], ["a", "b"]),
    "three copies of one value": (
        [node("Relu", "x", "a"), node(COPY, "a", "b"), node(COPY, "b", "c"), node(COPY, "a", "d")],
        ["d", "c", "a"],
    ),
    "an inner value and its copy": ([node("Relu", "x", "a"), node(COPY, "a", "b"), node("Neg", "a", "y")], ["y", "b"]),
    "a copy of an input": ([node("Relu", "x", "y"), node(COPY, "x", "z")], ["z", "y"]),
    "a copy of a constant": ([node("Relu", "x", "y"), node(COPY, "c", "z")], ["y", "z"]),
    "a constant": ([node("Add", "x c", "y")], ["c", "y"]),
    "what is computed of constants": ([node("Add", "c c", "z"), node("Add", "x z", "y")], ["z", "y"]),
    "nodes that change nothing": (
        [node("Relu", "x", "a"), node("Reshape", "a shape", "b"), node("Dropout", "b", "y"), node("Sum", "a", "z")],
        ["y", "z", "b", "a"],
    ),
    "an op without effect on an input": ([node("Reshape", "x shape", "y"), node("Relu", "x", "z")], ["y", "z"]),
}
CONSTANTS = {"c": np.arange(4, dtype=np.float32), "shape": np.array(X)}


def case(name):
    nodes, declared = CASES[name]
    used = {each: array for each, array in CONSTANTS.items() if any(each in n.input for n in nodes)}
    return whole_model(nodes, [value("x", X)], declared, used)


@pytest.mark.parametrize("target", ["ort/cpu", "onnxjs-0.1.3/cpu"])
@pytest.mark.parametrize("name", CASES)
def test_outputs_keep_names_and_values(name, target):
    x = values(*X)
    lowered = assert_lowers_to_the_same(case(name), target, {"x": x})
    assert [v.name for v in lowered.model.graph.input if v.name in ("x",)] == ["x"]


@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.3/cpu", "onnxjs-0.1.8/wasm", "ort-web/webgl"])
@pytest.mark.parametrize("name", ["three copies of one value", "a copy of an input", "a copy of a constant"])
def test_engines_that_remove_identity_nodes_keep_the_outputs(name, target):
    proto, x = case(name), values(*X)
    lowered = lower(proto, targets.load(target))
    with open_runner(lowered.model, target) as runner:
        found = runner.infer({"x": x})
    for output, array in outputs(proto, {"x": x}).items():
        assert np.array_equal(found[output], array), output


@pytest.mark.parametrize("shape", [(2, 3), ()])
def test_copies_of_other_types_are_exact_too(shape):
    nodes = [
        node("Not", "x", "a"),
        node(COPY, "a", "b"),
        node("Cast", "a", "c", to=TensorProto.FLOAT),
        node(COPY, "c", "d"),
    ]
    declared = [value(name, shape, TensorProto.BOOL) for name in "xab"]
    proto = whole_model(nodes, declared[:1], [*declared[1:], "c", "d"])
    lowered = lower(proto, targets.load("onnxjs-0.1.8/wasm"))
    assert_same_outputs(proto, lowered.model, {"x": np.ones(shape, bool)})


def test_an_input_that_is_an_output_and_one_that_nothing_reads_stay():
    proto = whole_model([node("Relu", "x", "y")], [value("x", X), value("unread", (2,))], [value("x", X), "y"])
    lowered = assert_lowers_to_the_same(proto, "ort/cpu", {"x": values(*X), "unread": np.zeros(2, np.float32)})
    assert [v.name for v in lowered.model.graph.input] == ["x", "unread"]


def test_an_initializer_that_is_listed_as_an_input_is_its_value():
    proto = whole_model(
        [node("Add", "x c", "y")], [value("x", X), value("c", (4,))], ["y", "c"], {"c": CONSTANTS["c"]}, ir_version=3
    )
    assert_lowers_to_the_same(proto, "onnxjs-0.1.3/cpu", {"x": values(*X)})


def test_an_unnamed_output_between_others_gets_a_name():
    """ONNX Runtime 1.32 crashes on it."""
    nodes = [node("Split", "x sizes", "a b c", axis=2), node("Concat", "c a", "y", axis=2)]
    nodes[0].output[1] = ""
    proto = whole_model(nodes, [value("x", X)], ["y"], {"sizes": np.array([1, 1, 2])})
    lowered = lower(proto, targets.load("ort/cpu"))
    assert all(name for n in lowered.model.graph.node for name in n.output)
    x = values(*X)
    with open_runner(lowered.model, "ort/cpu") as runner:
        assert np.array_equal(runner.infer({"x": x})["y"], np.concatenate([x[..., 2:], x[..., :1]], 2))


def test_names_that_a_rule_would_like_but_the_model_has():
    """Softplus becomes seven nodes whose values are named after `y`."""
    taken = ["y.abs", "y.neg", "y.exp", "y.one", "y.sum", "y.log", "y.relu", "y.zero"]
    nodes = [node("Softplus", "x", "y"), *(node("Abs", "x", name) for name in taken[::2]), node("Mul", "x y.one", "z")]
    constants = {name: np.full(1, 7, np.float32) for name in taken[1::2]}
    nodes.append(node("Sum", " ".join(["y", *taken]), "total"))
    proto = whole_model(nodes, [value("x", X)], ["z", "total", "y.abs"], constants)
    assert_lowers_to_the_same(proto, "onnxjs-0.1.3/cpu", {"x": values(*X)}, relative=1e-6)


def test_nodes_of_one_name_get_their_own():
    nodes = [helper.make_node("Softplus", [x], [y], name="same") for x, y in ("xa", "ay")]
    lowered = lower(whole_model(nodes, [value("x", X)], ["y"]), targets.load("onnxjs-0.1.3/cpu"))
    names = [n.name for n in lowered.model.graph.node]
    assert len(set(names)) == len(names) > 2


@pytest.mark.parametrize(
    ("declared", "inner"), [((2, 3, 5), (9, 9)), ((2, "n", 4), (2, 3, 4)), ((-1, 3, 0), (1,)), (None, (2, 3, "m"))]
)
def test_claimed_shapes_are_not_trusted(declared, inner):
    """`a` is Reshaped to the shape that the file claims it has, which must not count as no change."""
    nodes = [node("Transpose", "x", "a", perm=[0, 2, 1]), node("Reshape", "a shape", "y")]
    proto = whole_model(nodes, [value("x", X)], [value("y", declared)], {"shape": np.array(X)})
    proto.graph.value_info.append(value("a", inner))
    x = values(*X)
    lowered = lower(proto, targets.load("ort/cpu"))
    assert [n.op_type for n in lowered.model.graph.node] == ["Transpose", "Reshape"]
    assert [d.dim_value for d in lowered.model.graph.output[0].type.tensor_type.shape.dim] == list(X)
    with open_runner(lowered.model, "ort/cpu") as runner:
        assert np.array_equal(runner.infer({"x": x})["y"], x.transpose(0, 2, 1).reshape(X))


def test_a_claim_that_no_reshape_can_give_is_left_out():
    """The rank is known by the number of sizes, though an op of another domain lets no shape follow."""
    nodes = [
        helper.make_node("Gelu", ["x"], ["a"], domain="com.microsoft"), node("Shape", "a", "s"),
        node("Gather", "s zero", "first"), node("Concat", "first first rest", "sizes", axis=0),
        node("Reshape", "a sizes", "y"),
    ]  # fmt: skip
    constants = {"zero": np.array([0]), "rest": np.array([-1])}
    proto = whole_model(nodes, [value("x", X)], [value("y", (1, "n"))], constants)
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    lowered = lower(proto, targets.load("ort/cpu"))
    assert not lowered.model.graph.output[0].type.tensor_type.HasField("shape")
    with open_runner(lowered.model, "ort/cpu") as runner:
        assert runner.infer({"x": values(*X)})["y"].shape == (2, 2, 6)


def test_a_claim_about_an_initializer_is_not_trusted():
    proto = whole_model([node("Expand", "c shape", "y"), node("Add", "x y", "z")], [value("x", X)], ["z"],
                        {"c": np.ones((1, 1, 4), np.float32), "shape": np.array(X)})  # fmt: skip
    proto.graph.value_info.append(value("c", X, TensorProto.DOUBLE))
    assert_lowers_to_the_same(proto, "onnxjs-0.1.3/cpu", {"x": values(*X)})


def test_what_an_unknown_op_gives_is_as_claimed():
    nodes = [
        helper.make_node("Gelu", ["x"], ["a"], domain="com.microsoft"),
        node("Shape", "a", "s"),
        node(COPY, "s", "y"),
    ]
    proto = whole_model(nodes, [value("x", X)], [value("y", (3,), TensorProto.INT64)])
    proto.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    proto.graph.value_info.append(value("a", X))
    assert [n.op_type for n in lower(proto, targets.load("ort/cpu")).model.graph.node] == [COPY]


@pytest.mark.parametrize(
    ("constant", "expected"), [({"value_string": "a"}, "a"), ({"value_strings": ["a", "b"]}, ["a", "b"])]
)
def test_a_constant_of_strings_is_given_out(constant, expected):
    proto = whole_model([node("Constant", "", "c", **constant), node("Relu", "x", "y")], [value("x", X)], ["y"])
    proto.graph.output.append(helper.make_tensor_value_info("c", TensorProto.STRING, np.shape(expected)))
    with open_runner(lower(proto, targets.load("ort/cpu")).model, "ort/cpu") as runner:
        assert runner.infer({"x": values(*X)})["c"].tolist() == expected
