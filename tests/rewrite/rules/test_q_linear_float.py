import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (1, 3, 7, 5)


def convolution(weights, shape=SHAPE, **constants):
    c_out = len(weights)
    scales = np.linspace(0.01, 0.03, c_out, dtype=np.float32)
    given = {"qs": np.float32(0.04), "qz": np.uint8(90), "w": weights, "ws": scales, "wz": np.zeros(c_out, np.int8),
             "rs": np.float32(0.25), "rz": np.uint8(120), "b": np.arange(c_out, dtype=np.int32) * 100}  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x", "qs", "qz", "q"),
        node("QLinearConv", "q", "qs", "qz", "w", "ws", "wz", "rs", "rz", "b", "r", pads=[1, 0, 0, 2]),
        node("DequantizeLinear", "r", "rs", "rz", "y"),
    ]
    return model(nodes, shape, given | constants)


WEIGHTS = np.arange(-81, 81).reshape(6, 3, 3, 3).astype(np.int8)


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm"])
def test_a_convolution_of_integers_is_exact_in_the_engine(target):
    before, x = convolution(WEIGHTS), values(*SHAPE)
    lowered = lower(before, targets.load(target))
    assert lowered
    assert set(lowered.applied.fidelity) == {"exact"}
    with open_runner(lowered.model, target) as runner:
        np.testing.assert_array_equal(runner.infer({"x": x})["y"], run(before, x))


def test_the_sums_that_round_are_not_taken_apart_in_openvino():
    before, x = convolution(WEIGHTS), values(*SHAPE)
    lowered = lower(before, targets.load("openvino/cpu"))
    assert lowered and "q-linear-float" in set(lowered.applied.rule)
    with open_runner(lowered.model, "openvino/cpu") as runner:
        errors = np.abs(runner.infer({"x": x})["y"] - run(before, x))
    assert np.count_nonzero(errors) < 3  # ties


def test_a_product_with_a_scale_per_column():
    constants = {"qs": np.float32(0.04), "qz": np.int8(3), "w": np.arange(-20, 20).reshape(5, 8).astype(np.int8),
                 "ws": np.linspace(0.1, 0.2, 8, dtype=np.float32), "wz": np.zeros(8, np.int8),
                 "rs": np.float32(0.5), "rz": np.int8(-7)}  # fmt: skip
    nodes = [
        node("QuantizeLinear", "x", "qs", "qz", "q"),
        node("QLinearMatMul", "q", "qs", "qz", "w", "ws", "wz", "rs", "rz", "r"),
        node("DequantizeLinear", "r", "rs", "rz", "y"),
    ]
    before = model(nodes, (2, 3, 5), constants)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(2, 3, 5), EXACT)


def test_sums_that_float32_cannot_hold_are_refused():
    before = convolution(np.full((1, 1024, 3, 3), 127, np.int8), (1, 1024, 5, 5))
    assert_refused(before, TARGET, "q-linear-float", "float32 holds all integers up to 2^24 only")
