"""The repairs, on the smallest graphs that show each fault; tests/runtimes shows the faults in the engines."""

import numpy as np
import onnx

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

SHAPE = (1, 3, 5, 7)


def reshaped_and_shared():
    nodes = [
        node("Relu", "x", "r"),
        node("Reshape", "r", "shape", "flat"),
        node("ReduceMean", "flat", "mean", axes=[1]),
        node("Sub", "r", "mean", "y"),
    ]
    return model(nodes, SHAPE, {"shape": np.array([1, 105])}, opset=7)


def test_a_value_reshaped_and_shared_is_copied_first():
    target = targets.load("onnxjs-0.1.8/webgl")
    before = reshaped_and_shared()
    assert not targets.check(before, target)
    lowered = lower(before, target)
    assert lowered
    assert ops(lowered.model) == ["Relu", "Add", "Reshape", "ReduceMean", "Sub"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)
    assert ops(lower(before, targets.load("onnxjs-0.1.8/cpu")).model) == ops(before)


def test_a_copy_stands_between_reshape_and_relu():
    target = targets.load("ort-web/webgl")
    nodes = [node("Reshape", "x", "shape", "flat"), node("Relu", "flat", "y")]
    before = model(nodes, SHAPE, {"shape": np.array([1, 3, 7, 5])}, opset=7)
    assert not targets.check(before, target)
    lowered = lower(before, target)
    assert lowered
    assert ops(lowered.model) == ["Reshape", "Add", "Relu"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)
    assert ops(lower(before, targets.load("onnxjs-0.1.8/webgl")).model) == ops(before)


def test_one_result_taken_twice_is_copied():
    target = targets.load("onnxjs-0.1.3/wasm")
    nodes = [
        node("Relu", "x", "r"),
        node("Mul", "r", "r", "square"),
        node("Concat", "x", "r", "square", "r", "y", axis=1),
    ]
    before = model(nodes, SHAPE, opset=7)
    assert not targets.check(before, target)
    lowered = lower(before, target)
    assert lowered
    assert ops(lowered.model) == ["Relu", "Add", "Mul", "Add", "Concat"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_an_input_or_constant_taken_twice_is_no_fault():
    before = model([node("Mul", "x", "x", "y")], SHAPE, opset=7)
    assert ops(lower(before, targets.load("onnxjs-0.1.3/cpu")).model) == ["Mul"]


def test_a_copy_keeps_the_sign_of_zero():
    nodes = [node("Reshape", "x", "shape", "flat"), node("Abs", "flat", "y")]
    lowered = lower(model(nodes, SHAPE, {"shape": np.array([1, 3, 7, 5])}, opset=7), targets.load("ort-web/webgl"))
    zero = onnx.numpy_helper.to_array(next(t for t in lowered.model.graph.initializer if t.name.endswith("zero")))
    assert np.signbit(np.float32(-0.0) + zero).all() and not np.signbit(np.float32(0.0) + zero).any()
