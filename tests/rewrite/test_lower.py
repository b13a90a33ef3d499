"""The whole of `lower` on the style network, for every target."""

import dataclasses

import numpy as np
import onnx
import pytest

from fns_lab import models, targets
from fns_lab.errors import InputError
from fns_lab.rewrite.lower import OPSET_RULE, lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, assert_same, model, node, values

IMAGE_TOLERANCE = 0.05
"""Of 255: the rewrites reorder float32 sums, the weights scale them up to the image's range."""
WASM = "onnxjs-0.1.8/wasm"
MOST_NODES = 190
"""The hand-made rewrite of the same network has 371."""


def image(proto, photo):
    with open_runner(proto, "ort/cpu") as runner:
        return runner.infer({"input": photo})["output"]


@pytest.mark.parametrize("name", targets.names())
def test_the_style_network_reaches_every_target(name, fns_model, photo):
    target = targets.load(name)
    lowered = lower(fns_model, target)
    assert lowered
    assert lowered.nodes_before == len(fns_model.graph.node)
    assert lowered.nodes_after == len(lowered.model.graph.node) <= MOST_NODES
    assert "approximate" not in set(lowered.applied.fidelity)
    assert not len(lowered.refused)
    assert targets.check(lowered.model, target)
    onnx.checker.check_model(lowered.model, full_check=True)
    assert np.abs(image(lowered.model, photo) - image(fns_model, photo)).max() < IMAGE_TOLERANCE


def test_lowering_is_idempotent_and_leaves_its_input_alone(fns_model):
    target = targets.load("onnxjs-0.1.3/wasm")
    before = fns_model.SerializeToString()
    once = lower(fns_model, target)
    twice = lower(once.model, target)
    assert fns_model.SerializeToString() == before
    assert [n.op_type for n in twice.model.graph.node] == [n.op_type for n in once.model.graph.node]
    assert not len(twice.applied)


def test_old_targets_get_ir_3_and_initializers_as_inputs(fns_model):
    lowered = lower(fns_model, targets.load("onnxjs-0.1.3/webgl")).model
    assert lowered.ir_version == 3
    inputs = [value.name for value in lowered.graph.input]
    assert inputs[0] == "input"
    assert {t.name for t in lowered.graph.initializer} == set(inputs[1:])
    assert [value.name for value in lowered.graph.output] == ["output"]


def test_rewritten_nodes_name_their_rule_and_values_keep_their_names(fns_model):
    lowered = lower(fns_model, targets.load("onnxjs-0.1.3/wasm"))
    docs = [n.doc_string.removeprefix(models.RULE_PREFIX) for n in lowered.model.graph.node if n.doc_string]
    tagged = [rule for doc in docs for rule in doc.split(", ")]
    assert set(tagged) == set(lowered.applied.rule) - {OPSET_RULE}
    names = [n.name for n in lowered.model.graph.node]
    assert len(set(names)) == len(names)
    after = {value for n in lowered.model.graph.node for value in n.output}
    norms = [n.output[0] for n in fns_model.graph.node if n.op_type in ("InstanceNormalization", "Relu", "Add")]
    assert len(norms) == 30
    assert set(norms) <= after


def test_json_is_plain(fns_model):
    import json

    found = lower(fns_model, targets.load("onnxjs-0.1.8/wasm")).to_json()
    assert json.loads(json.dumps(found)) == found
    assert set(found) == {"target", "nodes_before", "nodes_after", "applied", "refused", "supported"}
    assert set(found["applied"][0]) == {"rule", "count", "fidelity"}


def free_size():
    return model(
        [node("InstanceNormalization", "x", "g", "b", "y")], (1, 3, "h", "w"), {"g": values(3), "b": values(3)}
    )


def test_a_free_size_is_refused_until_it_is_given():
    target = targets.load("onnxjs-0.1.3/cpu")
    refused = lower(free_size(), target)
    assert not refused
    assert "--shape" in refused.refused.iloc[0].reason
    assert lower(free_size(), target, shapes={"x": (1, 3, 8, 12)})


@pytest.mark.parametrize(
    ("shapes", "message"),
    [({"z": (1, 3, 8, 8)}, "no input 'z'"), ({"x": (1, 4, 8, 8)}, "does not fit"), ({"x": (1, 3, 8)}, "does not fit")],
)
def test_shapes_that_do_not_fit(shapes, message):
    with pytest.raises(InputError, match=message):
        lower(free_size(), targets.load("ort/cpu"), shapes=shapes)


def test_every_node_that_nothing_can_lower_is_named_and_no_other():
    """The MaxPool and the Relu could be converted: so they aren't named."""
    nodes = [
        node("MaxPool", "x", "pooled", kernel_shape=[2, 2]),
        node("Relu", "pooled", "positive"),
        node("Bernoulli", "positive", "a"),
        node("Bernoulli", "a", "b"),
        node("RandomUniformLike", "b", "y"),
    ]
    lowered = lower(model(nodes, (1, 3, 6, 8)), targets.load(WASM))
    assert not lowered
    assert "2 Bernoulli" in str(lowered) and "1 RandomUniformLike" in str(lowered)
    assert "MaxPool" not in str(lowered)
    assert list(lowered.refused.node) == ["node_a", "node_b", "node_y"]
    assert "does not exist at opset 7" in lowered.refused.reason[0]
    assert "has no RandomUniformLike" in lowered.refused.reason[2]


def test_a_model_that_runs_at_its_own_opset_only_is_left_there():
    """TensorScatter is new in opset 24, and `lower` writes opset 23 at most for ONNX Runtime."""
    nodes = [
        node("ReduceMax", "x", "m", keepdims=0),
        node("Cast", "m", "i", to=onnx.TensorProto.INT64),
        node("Reshape", "i", "one", "at"),
        node("TensorScatter", "x", "u", "at", "y"),
    ]
    constants = {"u": np.ones((1, 2, 3), np.float32), "one": np.array([1])}
    newer = model(nodes, (1, 4, 3), constants, opset=24)
    lowered = lower(newer, targets.load("ort/cpu"))
    assert lowered and not len(lowered.refused)
    assert lowered.model.opset_import[0].version == 24


def test_success_stands_beside_no_refusal():
    """ONNX.js runs the Pad; `pad-gather`, which it would prefer since it is faster, refuses it."""
    lowered = lower(model([node("Pad", "x", "p", "y")], (1, 2, 5, 6), {"p": np.ones(8, int)}), targets.load(WASM))
    assert lowered
    assert lowered.refused.empty


def test_a_node_of_an_opset_that_the_runtime_reads_otherwise_is_refused_with_the_reason():
    add = model([node("Add", "x", "b", "y", broadcast=1, axis=1)], (2, 3, 4), {"b": np.ones(3, np.float32)}, opset=6)
    lowered = lower(add, targets.load("onnxjs-0.1.3/cpu"))
    assert not lowered
    assert "is read as of opset 7" in lowered.refused.reason[0]


def shape_arithmetic(size):
    """Flatten as older exporters write it: Shape, Gather, Unsqueeze, Concat, Reshape; the nodes have no names."""
    from onnx import helper

    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["n"], axis=0),
        helper.make_node("Unsqueeze", ["n", "first"], ["n1"]),
        helper.make_node("Concat", ["n1", "rest"], ["sizes"], axis=0),
        helper.make_node("ConstantOfShape", ["sizes2"], ["border"]),
        helper.make_node("Concat", ["x", "border"], ["wide"], axis=3),
        helper.make_node("Reshape", ["wide", "sizes"], ["y"]),
    ]
    constants = {"zero": np.array(0), "first": np.array([0]), "rest": np.array([-1]), "sizes2": np.array([2, 3, 5, 1])}
    return model(nodes, size, constants)


def test_shape_arithmetic_is_computed_where_the_size_is_fixed():
    target = targets.load("onnxjs-0.1.8/wasm")
    before = shape_arithmetic((2, 3, 5, 7))
    lowered = lower(before, target)
    assert lowered
    assert [n.op_type for n in lowered.model.graph.node] == ["Concat", "Reshape"]
    assert_same(before, lowered.model, values(2, 3, 5, 7), EXACT)
    free = lower(shape_arithmetic(("n", 3, 5, 7)), target)
    assert not free
    assert any("has no Shape" in reason for reason in free.refused.reason), free.refused.to_string()
    assert all(free.refused.node), "every row names a node"
    assert lower(shape_arithmetic(("n", 3, 5, 7)), target, shapes={"x": (2, 3, 5, 7)})
    assert lower(shape_arithmetic(("n", 3, 5, 7)), targets.load("ort/cpu")), "dynamic sizes stay where they can"


def test_nodes_inside_a_branch_are_converted_too():
    """ONNX Runtime has `If`; a branch's nodes must be written for the same opset as the graph around them."""
    from onnx import TensorProto, helper, numpy_helper

    y = helper.make_tensor_value_info("z", TensorProto.FLOAT, None)
    axes = numpy_helper.from_array(np.array([2, 3]), "axes")
    branches = [
        helper.make_graph(
            [helper.make_node("ReduceMean", ["x", *extra], ["z"])], "branch", [], [y], [axes][: len(extra)]
        )
        for extra in (["axes"], [])
    ]
    choose = helper.make_node("If", ["yes"], ["y"], name="node_y", then_branch=branches[0], else_branch=branches[1])
    before = model([choose], (1, 3, 6, 8), {"yes": np.array(True)})
    target = dataclasses.replace(targets.load("ort/cpu"), opset=13)
    lowered = lower(before, target)
    assert lowered
    assert lowered.model.opset_import[0].version == 13
    assert_same(before, lowered.model, values(1, 3, 6, 8), EXACT)


def test_a_loop_s_body_still_ends_in_two_values(cases):
    """Without the Identity of its body both outputs of this Scan are one value, which ONNX Runtime gets wrong."""
    from fns_lab.measure.matrix.run import run_case

    case, target = cases["test_scan9_sum"], targets.load("ort/cpu")
    assert run_case(case, lower(case.model, target).model, target).result == "pass"


def test_a_preferred_rule_that_refuses_is_no_refusal_where_the_target_runs_the_node():
    proto = model([node("Pad", "x", "pads", "y")], (1, 3, 6, 8), {"pads": np.array([0, 0, 1, 1] * 2)})
    target = targets.load("onnxjs-0.1.8/wasm")
    lowered = lower(proto, target)
    assert "pad-gather" in target.prefer
    assert lowered and not len(lowered.refused)


def test_a_node_of_an_older_opset_than_the_target_reads_says_why_it_is_not_supported():
    proto = model([node("Add", "x", "c", "y", broadcast=1, axis=1)], (2, 3, 4), {"c": values(3)}, opset=6)
    lowered = lower(proto, targets.load("onnxjs-0.1.3/cpu"))
    assert not lowered
    assert list(lowered.refused.reason) == ["is read as of opset 7: Add changed its meaning at opset 7"]


def test_a_deprecated_op_that_the_target_runs_is_left():
    constants = {"scale": values(2), "bias": values(2)}
    proto = model([node("GroupNormalization", "x", "scale", "bias", "y", num_groups=2)], (2, 4, 3, 5), constants)
    lowered = lower(proto, targets.load("tract/cpu"))
    assert lowered and [n.op_type for n in lowered.model.graph.node] == ["GroupNormalization"]
