"""Inner values can be outputs in every engine, also in those that renumber values when they load a model."""

from __future__ import annotations

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import kept_outputs, open_runner
from fns_lab.runtimes.reference import ReferenceRunner
from tests.runtimes.graphs import FLOAT32_ERROR, graph, image, node, relu, worst_error

X = image(1, 3, 6, 10, mean=0.0)
WEIGHT = {"w": np.random.default_rng(2).normal(size=(4, 3, 1, 1)).astype(np.float32)}
MIDDLE = {"y": (1, 4, 6, 10), "a": (1, 3, 6, 10), "b": (1, 3, 6, 10), "c": (1, 4, 6, 10), "r": (1, 4, 6, 10)}


def with_identity_and_fused_conv():
    nodes = [
        node("Neg", "x", "a"),
        node("Identity", "a", "b"),
        node("Conv", "b w", "c", kernel_shape=[1, 1]),
        node("Relu", "c", "r"),
        node("Neg", "r", "y"),
    ]
    return graph(nodes, {"x": X}, WEIGHT, outputs=MIDDLE)


@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.3/wasm", "onnxjs-0.1.8/webgl", "ort-web/webgl", "ort-web/wasm"])
def test_every_value_comes_out_under_its_name(target):
    model = with_identity_and_fused_conv()
    expected = ReferenceRunner(model).infer({"x": X})
    with open_runner(model, target) as runner:
        actual = runner.infer({"x": X})
    assert list(actual) == list(MIDDLE)
    for name in expected:
        assert worst_error(actual[name], expected[name]) < FLOAT32_ERROR, name


@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.3/wasm", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
def test_a_copy_has_the_shape_of_its_source(target):
    """A scalar given out and read by a Relu, which these engines may remove, is copied, and stays a scalar."""
    nodes = [node("ReduceMax", "x", "one", axes=[0]), node("Squeeze", "one", "s", axes=[0])]
    nodes += [node("Relu", "s", "r"), node("Identity", "r", "i"), node("Neg", "i", "y")]
    x = np.array([-2.0, 3.0, 1.5], np.float32)
    with open_runner(graph(nodes, {"x": x}, outputs={"s": (), "y": ()}), target) as runner:
        outputs = runner.infer({"x": x})
    assert {name: (y.shape, float(y)) for name, y in outputs.items()} == {"s": ((), 3.0), "y": ((), -3.0)}


@pytest.mark.browser
def test_without_it_ort_web_webgl_gives_the_value_after_the_activation(monkeypatch):
    """The fault itself: the output is Conv's value, and the engine returns Relu's."""
    nodes = [node("Conv", "x w", "c", kernel_shape=[1, 1]), node("Relu", "c", "r"), node("Neg", "r", "y")]
    model = graph(nodes, {"x": X}, WEIGHT, outputs={"y": MIDDLE["y"], "c": MIDDLE["c"]})
    expected = ReferenceRunner(model).infer({"x": X})
    assert expected["c"].min() < 0
    monkeypatch.setattr("fns_lab.runtimes.kept_outputs.loses_outputs", lambda model, target: False)
    with open_runner(model, "ort-web/webgl") as runner:
        actual = runner.infer({"x": X})
    assert worst_error(actual["c"], -expected["y"]) < FLOAT32_ERROR


def test_only_outputs_that_nodes_read_are_copied():
    target = targets.load("ort-web/webgl")
    kept, names = kept_outputs.as_loaded(with_identity_and_fused_conv(), target)
    read = {name for each in kept.graph.node for name in each.input}
    assert list(names.values()) == list(MIDDLE)
    assert not read & set(names)
    assert names["y"] == "y"
    plain = relu(X)
    assert kept_outputs.as_loaded(plain, target)[0] is plain


@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.3/cpu", "onnxjs-0.1.8/webgl", "ort-web/webgl", "ort-web/wasm"])
def test_outputs_that_no_node_computes_come_out(target):
    constants = {"flags": np.array([[True, False]]), "numbers": np.array([1.5, -2.5], np.float32)}
    model = graph([node("Relu", "x", "y")], {"x": X}, constants, outputs={"y": X.shape, "x": X.shape})
    model.graph.output.extend(value for value in model.graph.input if value.name in constants)
    with open_runner(model, target) as runner:
        actual = runner.infer({"x": X})
    for name, expected in {"y": np.maximum(X, 0), "x": X, **constants}.items():
        assert actual[name].dtype == expected.dtype
        np.testing.assert_array_equal(actual[name], expected)


def test_graphs_that_lose_nothing_are_not_changed():
    """In 0.1.8 webgl a value that is reshaped and copied is wrong, so nothing may be added."""
    target = targets.load("onnxjs-0.1.8/webgl")
    assert not kept_outputs.loses_outputs(relu(X), target)
    assert kept_outputs.loses_outputs(with_identity_and_fused_conv(), target)
    assert kept_outputs.loses_outputs(relu(X), targets.load("ort-web/webgl"))
    assert not kept_outputs.loses_outputs(with_identity_and_fused_conv(), targets.load("ort-web/wasm"))


@pytest.mark.browser
@pytest.mark.parametrize("target", ["onnxjs-0.1.3/cpu", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
def test_a_copy_given_out_beside_its_source_is_lost_and_lower_keeps_it(target):
    shape = X.shape
    model = graph([node("Relu", "x", "a"), node("Identity", "a", "b")], {"x": X}, outputs={"a": shape, "b": shape})
    assert not targets.check(model, targets.load(target))
    with open_runner(model, target) as runner, pytest.raises(RuntimeFault, match="required output"):
        runner.infer({"x": X})
    lowered = lower(model, targets.load(target))
    assert lowered and list(lowered.applied.rule) == ["copy-output"]
    with open_runner(lowered.model, target) as runner:
        outputs = runner.infer({"x": X})
    for name in ("a", "b"):
        np.testing.assert_array_equal(outputs[name], np.maximum(X, 0))
