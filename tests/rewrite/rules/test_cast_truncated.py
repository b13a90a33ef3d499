import numpy as np
import pytest
from onnx import TensorProto

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node, ops

TARGET = targets.load("ort-web/webgl")
X = np.array([[1.5, -1.5, 2.7], [-0.4, 0.0, 1e5]], np.float32)
TRUNCATED = ["Relu", "Floor", "Neg", "Relu", "Floor", "Sub", "Cast", "Cast"]


def cast_twice(to, opset=13):
    return model([node("Cast", "x", "c", to=to), node("Cast", "c", "y", to=TensorProto.FLOAT)], X.shape, opset=opset)


@pytest.mark.browser
@pytest.mark.parametrize("opset", [9, 13])
@pytest.mark.parametrize(
    ("to", "expected"),
    [
        (TensorProto.INT32, TRUNCATED),
        (TensorProto.INT64, TRUNCATED),
        (TensorProto.BOOL, ["Abs", "Clip", "Ceil", "Cast", "Cast"]),
    ],
)
def test_a_cast_that_a_node_reads_truncates(to, expected, opset):
    """The engine itself gives back 1.5 for 1.5."""
    before = cast_twice(to, opset)
    lowered = lower(before, TARGET)
    assert sorted(ops(lowered.model)) == sorted(expected)
    with open_runner(before, "ort/cpu") as runner:
        truth = runner.infer({"x": X})["y"]
    for tried, right in ((before, False), (lowered.model, True)):
        with open_runner(tried, TARGET) as runner:
            assert np.array_equal(runner.infer({"x": X})["y"], truth) is right


def test_a_cast_that_is_only_given_out_stays():
    before = model([node("Cast", "x", "y", to=TensorProto.INT32)], X.shape, opset=13)
    assert ops(lower(before, TARGET).model) == ["Cast"]


def test_whole_numbers_to_booleans_are_refused():
    nodes = [node("Cast", "x", "i", to=TensorProto.INT32), node("Cast", "i", "b", to=TensorProto.BOOL)]
    before = model([*nodes, node("Cast", "b", "y", to=TensorProto.FLOAT)], X.shape, opset=13)
    lowered = lower(before, TARGET)
    assert not lowered and "i is int32; this rule takes float32" in list(lowered.refused.reason)
