"""Engines that are given a model for the sizes that are fed: one runner runs several sizes, and both branches."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import models, targets
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import FLOAT32_ERROR, graph, node, worst_error
from tests.runtimes.one_node import OPENCV, OPENVINO, TRACT, ints, one, x

SIZED = (OPENCV, OPENVINO, TRACT)
BATCHES = (3, 1, 2, 3)


def gru():
    weights = {"w": x(1, 12, 3), "r": x(1, 12, 4)}
    return one("GRU", {"x": x(5, 2, 3)}, weights, outputs=2, opset=14, hidden_size=4)[0]


def einsum():
    return one("Einsum", {"x": x(5, 2, 3)}, {"w": x(3, 4)}, equation="sbi,io->sbo")[0]


def largest():
    return one("TopK", {"x": x(5, 2, 3)}, {"k": ints(2)}, outputs=2, opset=11, axis=1)[0]


def with_free_batch(model):
    """The model with a free size for the second axis of `x`."""
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, (5, "n", 3)))
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    return model


def assert_right(model, feeds, name):
    """Assert that one runner gives what ONNX Runtime does for each of the feeds, one after the other."""
    assert targets.check(model, targets.load(name))
    with open_runner(model, "ort/cpu") as truth, open_runner(model, name) as runner:
        for each in feeds:
            expected, actual = truth.infer(each), runner.infer(each)
            assert max(worst_error(actual[value], expected[value]) for value in expected) < 10 * FLOAT32_ERROR


@pytest.mark.parametrize("name", SIZED)
@pytest.mark.parametrize("made", [gru, einsum])
def test_one_runner_runs_several_sizes(made, name):
    assert_right(with_free_batch(made()), [{"x": x(5, batch, 3)} for batch in BATCHES], name)


@pytest.mark.parametrize("name", [OPENVINO, TRACT])
def test_equal_values_along_a_free_size_keep_their_order(name):
    assert_right(with_free_batch(largest()), [{"x": np.ones((5, batch, 3), np.float32)} for batch in (3, 2)], name)


@pytest.mark.parametrize("name", SIZED)
def test_an_output_of_a_free_size_without_elements_is_empty(name):
    model = one("Slice", {"x": x(5)}, {"b": ints(3), "e": ints(9)})[0]
    model.graph.input[0].CopyFrom(helper.make_tensor_value_info("x", TensorProto.FLOAT, ("n",)))
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info("y0", TensorProto.FLOAT, ("m",)))
    assert_right(model, [{"x": x(5)}, {"x": x(2)}], name)


@pytest.mark.parametrize("name", SIZED)
def test_one_runner_takes_both_branches(name):
    result = [helper.make_tensor_value_info("r", TensorProto.FLOAT, (3,))]
    then, other = (helper.make_graph([node(op, "x x", "r")], op, [], result) for op in ("Add", "Mul"))
    choice = helper.make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)
    feeds = [{"c": np.array(c), "x": x(3)} for c in (True, False, True)]
    model = models.infer_shapes(graph([choice], feeds[0], outputs={"y": (3,)}, opset=17, ir_version=8))
    assert_right(model, feeds, name)
