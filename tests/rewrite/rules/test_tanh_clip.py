"""Tanh of limited values, in OpenCV, which fails on large ones."""

import numpy as np

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node

TARGET = targets.load("opencv/cpu")


def test_tanh_of_large_values_is_one_in_opencv():
    lowering = lower(model([node("Tanh", "x", "y")], (1, 8), opset=13), TARGET)
    assert lowering
    assert [n.op_type for n in lowering.model.graph.node] == ["Clip", "Tanh"]
    x = np.array([[-300, -50, -1, 0, 1, 44, 50, 300]], np.float32)
    with open_runner(lowering.model, TARGET) as runner:
        result = runner.infer({"x": x})["y"]
    np.testing.assert_allclose(result, np.tanh(x), atol=1e-6)


def test_a_limited_value_is_left_alone():
    limits = {"low": np.float32(-1), "high": np.float32(1)}
    limited = model([node("Clip", "x", "low", "high", "c"), node("Tanh", "c", "y")], (1, 8), limits, opset=13)
    assert "tanh-clip" not in set(lower(limited, TARGET).applied.rule)
