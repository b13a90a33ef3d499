import numpy as np

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
QUANTIZE = [node("QuantizeLinear", "x", "s", "z", "q")]
CONSTANTS = {"s": np.float32(0.1), "z": np.uint8(100)}


def test_an_integer_convolution_pads_with_the_zero_point():
    weights = {"w": np.arange(48).reshape(2, 3, 4, 2).astype(np.uint8), "wz": np.uint8(9)}
    conv = node("ConvInteger", "q", "w", "z", "wz", "i", pads=[1, 2, 1, 0], strides=[2, 1])
    before = model([*QUANTIZE, conv, node("Cast", "i", "y", to=1)], (1, 3, 6, 5), CONSTANTS | weights)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(1, 3, 6, 5), EXACT)


def test_a_product_of_two_computed_values():
    nodes = [*QUANTIZE, node("Transpose", "q", "t"), node("MatMulInteger", "q", "t", "z", "z", "i"),
             node("Cast", "i", "y", to=1)]  # fmt: skip
    before = model(nodes, (4, 5), CONSTANTS)
    lowered = lower(before, TARGET)
    assert lowered
    assert "MatMul" in ops(lowered.model)
    assert_same(before, lowered.model, values(4, 5), EXACT)


def test_sums_that_float32_cannot_hold_are_refused():
    nodes = [*QUANTIZE, node("Transpose", "q", "t"), node("MatMulInteger", "q", "t", "i"), node("Cast", "i", "y", to=1)]
    assert_refused(model(nodes, (2, 300), CONSTANTS), TARGET, "integer-float", "may reach 1.95e+07")
