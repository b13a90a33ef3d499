"""If, Loop and Scan that fixed sizes decide: without them in the result, and with ONNX Runtime's values."""

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.rewrite.control_flow import CONTROL_FLOW_RULE, MOST_UNROLLED
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import values
from tests.rewrite.whole_models import assert_lowers_to_the_same, assert_same_outputs, value, whole_model

X = (2, 3, 4)
WITHOUT = "onnxjs-0.1.8/wasm"
"""A target that has none of the three."""
BRANCHES = (("then", "Relu"), ("else", "Neg"))
BOOL, INT64 = TensorProto.BOOL, TensorProto.INT64


def node(op_type, inputs, outputs, **attributes):
    return helper.make_node(op_type, inputs.split(), outputs.split(), **attributes)


def body(nodes, inputs, outputs, constants=None):
    return whole_model(nodes, inputs, outputs, constants).graph


def ops(proto):
    return [n.op_type for n in proto.graph.node]


def assert_decided(proto, *, opsets=(17,), shape=X):
    """Assert that the result has no bodies and ONNX Runtime's values, at each of the opsets."""
    for opset in opsets:
        proto.opset_import[0].version = opset
        lowered = assert_lowers_to_the_same(proto, WITHOUT, {"x": values(*shape)})
        assert {"If", "Loop", "Scan"}.isdisjoint(ops(lowered.model))
        assert CONTROL_FLOW_RULE in set(lowered.applied.rule)


def choice(then, otherwise, size, p=""):
    """An If on the size of the second axis of `x`; the names of its values begin with `p`."""
    outputs = " ".join(output.name for output in then.output)
    nodes = [
        node("Shape", "x", f"{p}s"),
        node("Gather", f"{p}s {p}i", f"{p}d"),
        node("Equal", f"{p}d {p}n", f"{p}c"),
        node("If", f"{p}c", outputs, then_branch=then, else_branch=otherwise),
    ]
    return nodes, {f"{p}i": np.array(1), f"{p}n": np.array(size)}


@pytest.mark.parametrize("size", [3, 5])
def test_an_if_becomes_its_branch(size):
    """The branches read outer values, have initializers of one name, give out an outer value and one value twice."""
    w = {"w": np.arange(4, dtype=np.float32)}
    then = body([node("Mul", "a w", "p"), node("Identity", "p", "q")], [], ["p", "q", "o"], w)
    then.node.append(node("Identity", "a", "o"))
    otherwise = body([node("Neg", "a", "p"), node("Add", "x w", "q")], [], ["p", "q", "p"], w)
    otherwise.node.append(node("Identity", "p", "r"))
    otherwise.output[2].name = "r"
    nodes, constants = choice(then, otherwise, size)
    nodes[-1].output[:] = ["y", "z", "r"]
    nodes = [node("Relu", "x", "a"), *nodes, node("Add", "y r", "t")]
    assert_decided(whole_model(nodes, [value("x", X)], ["y", "z", "t"], constants), opsets=(11, 13, 17))


def test_a_branch_that_gives_out_an_outer_value_directly():
    """ONNX Runtime wants an Identity there."""
    graphs = [body([node("Identity", "a", "t")], [], ["t"]), body([], [], ["a"])]
    proto, direct = (
        whole_model([node("Relu", "x", "a"), *nodes], [value("x", X)], ["y"], constants)
        for nodes, constants in (choice(then, graphs[0], 3) for then in graphs)
    )
    for each in (proto, direct):
        each.graph.node[-1].output[:] = ["y"]
    assert_same_outputs(proto, lower(direct, targets.load(WITHOUT)).model, {"x": values(*X)})


def test_an_if_inside_an_if():
    inner = choice(body([node("Relu", "x", "t")], [], ["t"]), body([node("Neg", "x", "t")], [], ["t"]), 3, "in_")
    outer = choice(body(inner[0], [], ["t"], inner[1]), body([node("Abs", "x", "t")], [], ["t"]), 3)
    outer[0][-1].output[:] = ["y"]
    assert_decided(whole_model(outer[0], [value("x", X)], ["y"], outer[1]))


def undecided(then="Relu", *, opset=17):
    """Return a model whose If depends on the largest element of x."""
    branches = {
        f"{name}_branch": body([node(op, "x", "t")], [], ["t"]) for name, op in (("then", then), ("else", "Neg"))
    }
    nodes = [node("ReduceMax", "x", "m", keepdims=0), node("Greater", "m three", "c"), node("If", "c", "t", **branches),
             node("Shape", "x", "s"), node("Reshape", "t s", "y")]  # fmt: skip
    proto = whole_model(nodes, [value("x", X)], ["y"], {"three": np.float32(3)})
    proto.opset_import[0].version = opset
    return proto


def test_an_if_that_is_not_decided_stays_where_the_target_runs_it_and_the_rest_is_folded():
    lowered = assert_lowers_to_the_same(undecided(), "ort/cpu", {"x": values(*X)})
    assert "Shape" not in ops(lowered.model) and "If" in ops(lowered.model)


@pytest.mark.parametrize("target", [WITHOUT, "onnxjs-0.1.8/webgl", "onnxjs-0.1.3/cpu"])
@pytest.mark.parametrize("largest", [2, 4])
@pytest.mark.parametrize("opset", [9, 17])
def test_elsewhere_both_branches_are_computed_and_one_is_chosen(target, largest, opset):
    x = np.minimum(values(*X), 2)
    x[0, 0, 0] = largest
    lowered = assert_lowers_to_the_same(undecided(opset=opset), target, {"x": x})
    assert "If" not in ops(lowered.model)
    assert CONTROL_FLOW_RULE in set(lowered.applied.rule)


@pytest.mark.parametrize("then", ["ReduceSum", "Shape"])
def test_branches_of_different_shapes_or_types_are_refused(then):
    refused = lower(undecided(then), targets.load(WITHOUT)).refused
    assert any("do not give float32 of one fixed shape" in reason for reason in refused.reason)


def loop(step_nodes, states, stacked=(), *, condition="keep", p=""):
    """The body of a Loop whose condition is given on; `states` are pairs of names, in and out."""
    keep = [node("Identity", f"{p}keep", f"{p}still")] if condition == "keep" else []
    inputs = [value(f"{p}i", (), INT64), value(f"{p}keep", (), BOOL), *(value(name) for name, _ in states)]
    outputs = [value(f"{p}still" if keep else condition, (), BOOL), *(name for _, name in states), *stacked]
    return body([*keep, *step_nodes], inputs, outputs)


@pytest.mark.parametrize("steps", [1, 4])
def test_a_loop_is_unrolled(steps):
    """It captures an outer value, uses its number, swaps two states, and stacks a state and a value of its own."""
    nodes = [node("Cast", "i", "f", to=TensorProto.FLOAT), node("Mul", "a f", "m"), node("Add", "p m", "r")]
    inner = loop(nodes, [("p", "q"), ("q", "r")], ["m", "p"])
    nodes = [node("Relu", "x", "a"), node("Loop", "n yes x a", "y z u v", body=inner)]
    proto = whole_model(nodes, [value("x", X)], ["v", "y", "u", "z"], {"n": np.array(steps), "yes": np.array(True)})
    assert_decided(proto, opsets=(11, 13, 17))


def test_a_loop_of_no_steps_gives_its_states():
    inner = loop([node("Neg", "p", "q")], [("p", "q")])
    nodes = [node("Loop", "n  x", "y", body=inner), node("Relu", "y", "z")]
    nodes[0].input[:] = ["n", "", "x"]
    assert_decided(whole_model(nodes, [value("x", X)], ["y", "z"], {"n": np.array(0)}))


def test_a_loop_inside_a_loop_reads_values_of_both():
    inner = loop([node("Add", "q a", "b"), node("Add", "b p", "r")], [("q", "r")], p="in_")
    outer = loop([node("Loop", "two yes p", "s", body=inner)], [("p", "s")])
    outer.node[-1].input[:] = ["two", "", "p"]
    nodes = [node("Relu", "x", "a"), node("Loop", "three yes x", "y", body=outer)]
    constants = {"two": np.array(2), "three": np.array(3), "yes": np.array(True)}
    assert_decided(whole_model(nodes, [value("x", X)], ["y"], constants))


@pytest.mark.parametrize("directions", [(0, 0), (0, 1), (1, 0), (1, 1)])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_a_scan_is_unrolled(directions, axis):
    """Two states, two scanned inputs in opposite directions, one captured value, two outputs on different axes."""
    row = [size for index, size in enumerate(X) if index != axis % 3]
    nodes = [node("Add", "p s", "q"), node("Mul", "t k", "m"), node("Sub", "r m", "o")]
    inner = body(nodes, [value(n, row) for n in "prst"], [value(n, row) for n in "qoqm"])
    inner.node.append(node("Identity", "q", "qq"))
    inner.output[2].name = "qq"
    attributes = {"scan_input_axes": [axis, axis], "scan_input_directions": [directions[0], 1],
                  "scan_output_axes": [0, -1], "scan_output_directions": [1, directions[1]]}  # fmt: skip
    nodes = [
        node("Abs", "x", "a"),
        node("Scan", "zero zero x a", "y z u v", body=inner, num_scan_inputs=2, **attributes),
    ]
    constants = {"zero": np.zeros(row, np.float32), "k": np.float32(3)}
    assert_decided(whole_model(nodes, [value("x", X)], ["y", "z", "u", "v"], constants), opsets=(11, 13, 17))


def refusal(nodes, constants, shape=X):
    lowered = lower(whole_model(nodes, [value("x", shape)], ["y"], constants), targets.load(WITHOUT))
    assert not lowered
    return " ".join(lowered.refused.reason[lowered.refused.rule == CONTROL_FLOW_RULE])


def test_what_is_not_unrolled_says_why():
    step = loop([node("Neg", "p", "q")], [("p", "q")])
    many = {"n": np.array(MOST_UNROLLED), "yes": np.array(True)}
    assert "at most" in refusal([node("Loop", "n yes x", "y", body=step)], many)
    computed = [node("ReduceMax", "x", "m", keepdims=0), node("Cast", "m", "n", to=INT64)]
    assert "number of steps" in refusal([*computed, node("Loop", "n yes x", "y", body=step)], {"yes": np.array(True)})
    nodes = [node("Neg", "p", "q"), node("ReduceMax", "p", "m", keepdims=0), node("Cast", "m", "go", to=BOOL)]
    while_loop = loop(nodes, [("p", "q")], condition="go")
    assert "whether there is another" in refusal([node("Loop", "n yes x", "y", body=while_loop)], many)
    scan = body([node("Neg", "s", "q")], [value("s", (3, 4))], [value("q", (3, 4))])
    nodes = [node("Scan", "x", "y", body=scan, num_scan_inputs=1)]
    assert "not fixed" in refusal(nodes, {}, ("n", 3, 4))


def test_a_loop_stays_where_the_target_runs_it():
    step = loop([node("Neg", "p", "q")], [("p", "q")])
    nodes, constants = [node("Loop", "n yes x", "y", body=step)], {"n": np.array(2), "yes": np.array(True)}
    proto = whole_model(nodes, [value("x", X)], [value("y", X)], constants)
    assert ops(assert_lowers_to_the_same(proto, "ort/cpu", {"x": values(*X)}).model) == ["Loop"]


def test_a_loop_without_a_condition_keeps_the_empty_input_that_it_must_have():
    nodes = [node("Identity", "go", "on"), node("Gather", "x i", "row", axis=1)]
    step = body(nodes, [value("i", (), INT64), value("go", (), BOOL)], [value("on", (), BOOL), "row"])
    proto = whole_model([node("Loop", "n", "y", body=step)], [value("x", X)], ["y"], {"n": np.array(3)})
    proto.graph.node[0].input.append("")
    lowered = assert_lowers_to_the_same(proto, "ort/cpu", {"x": values(*X)})
    assert list(lowered.model.graph.node[0].input) == ["n", ""]
