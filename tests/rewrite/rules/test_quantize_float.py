import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
TIES = np.array([[-1e9, -40, -0.625, -0.375, -0.125, 0, 0.125, 0.375, 0.625, 31.9, 40, 3e38]], np.float32)
"""In steps of 0.25: far values, and values half way between two steps."""


def quantized(zero_point, scale=0.25, shape=(1, 12), opset=18, **attributes):
    nodes = [
        node("QuantizeLinear", "x", "s", "z", "q", **attributes),
        node("DequantizeLinear", "q", "s", "z", "y", **{k: v for k, v in attributes.items() if k == "axis"}),
    ]
    constants = {"s": np.asarray(scale, np.float32), "z": np.asarray(zero_point)}
    return model(nodes, shape, constants, opset=opset)


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/cpu", "onnxjs-0.1.8/wasm", "onnxjs-0.1.3/cpu"])
@pytest.mark.parametrize("zero_point", [np.int8(0), np.int8(-3), np.uint8(100), np.uint16(7)])
def test_ties_and_far_values_are_exact_in_the_engine(target, zero_point):
    before = quantized(zero_point, opset=21 if zero_point.dtype == np.uint16 else 13)
    lowered = lower(before, targets.load(target))
    assert lowered
    assert set(lowered.applied.rule) >= {"quantize-float", "dequantize-float", "cast-removed"}
    with open_runner(lowered.model, target) as runner:
        np.testing.assert_array_equal(runner.infer({"x": TIES})["y"], run(before, TIES))


def test_it_is_rounded_by_a_sum_and_a_difference():
    lowered = lower(quantized(np.int8(5)), TARGET)
    assert ops(lowered.model) == ["Div", "Add", "Sub", "Add", "Clip", "Sub", "Mul"]
    assert_same(quantized(np.int8(5)), lowered.model, values(1, 12), EXACT)


def test_one_scale_per_index_of_an_axis():
    scales, zeros = np.array([0.1, 0.2, 0.3]), np.array([1, -2, 3], np.int8)
    before = quantized(zeros, scales, (2, 3, 5), axis=-2)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(2, 3, 5), EXACT)


def test_an_output_of_8_bits_needs_a_cast():
    before = model([node("QuantizeLinear", "x", "s", "z", "y")], (2, 3), {"s": np.float32(1), "z": np.int8(0)})
    before.graph.output[0].type.tensor_type.elem_type = 3
    lowered = lower(before, TARGET)
    assert not lowered
    assert "Cast" in str(lowered.check)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (quantized(np.int8(0), np.float32(0)), "not above 0"),
        (quantized(np.zeros((1, 2), np.int8), np.ones((1, 2)), (1, 2)),
         "one number, an axis or blocks"),
        (model([node("Abs", "x", "s"), node("QuantizeLinear", "x", "s", "q"), node("Cast", "q", "y", to=1)], ()),
         "is computed"),
    ],
)  # fmt: skip
def test_refusals(before, reason):
    assert_refused(before, TARGET, "quantize-float", reason)
