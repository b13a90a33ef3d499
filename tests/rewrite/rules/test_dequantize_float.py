import ml_dtypes
import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


def with_weights(weights, scale, zero_point, **attributes):
    constants = {"w": weights, "s": np.asarray(scale, np.float32), "z": np.asarray(zero_point, weights.dtype)}
    nodes = [node("DequantizeLinear", "w", "s", "z", "f", **attributes), node("Mul", "x", "f", "y")]
    return model(nodes, (4, 6), constants, opset=21)


@pytest.mark.parametrize(
    "before",
    [
        with_weights(np.arange(-12, 12).reshape(4, 6).astype(ml_dtypes.int4).clip(-8, 7), 0.3, 2),
        with_weights(np.arange(24).reshape(4, 6).astype(np.uint8), [0.1, 0.2, 0.3, 0.4], [1, 2, 3, 4], axis=0),
        with_weights(np.arange(24).reshape(4, 6).astype(np.int8), np.full((4, 3), 0.7), np.ones((4, 3)), axis=1,
                     block_size=2),
        with_weights((np.arange(24).reshape(4, 6) * 12345677).astype(np.int32), 1e-6, 0),
    ],
    ids=["int4", "per row", "blocks", "int32"],
)  # fmt: skip
def test_constant_weights_become_floats(before):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Mul"]
    assert_same(before, lowered.model, values(4, 6), EXACT)


def test_computed_integers_of_32_bits_are_refused():
    nodes = [node("Cast", "x", "i", to=6), node("DequantizeLinear", "i", "s", "y")]
    assert_refused(model(nodes, (2, 3), {"s": np.float32(2)}), TARGET, "dequantize-float", "i is computed")
