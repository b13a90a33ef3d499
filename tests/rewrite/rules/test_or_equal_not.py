import numpy as np
import pytest
from onnx import TensorProto

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
FAR = np.array([0.0, -0.0, 1e-38, 1.0, -1.0, 3e38, -3e38, np.inf, -np.inf], np.float32)


def given_out(op, constant, shape, opset=18):
    proto = model([node(op, "x", "c", "y")], shape, {"c": constant}, opset=opset)
    proto.graph.output[0].type.tensor_type.elem_type = TensorProto.BOOL
    return proto


@pytest.mark.parametrize("opset", [12, 18])
@pytest.mark.parametrize(("op", "written"), [("GreaterOrEqual", "Less"), ("LessOrEqual", "Greater")])
def test_the_opposite(op, written, opset):
    before = given_out(op, values(5, 1), (3, 5, 7), opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == [written, "Not"]
    x = values(3, 5, 7)
    np.testing.assert_array_equal(run(lowered.model, x), run(before, x))


@pytest.mark.parametrize("op", ["GreaterOrEqual", "LessOrEqual"])
def test_far_and_infinite_numbers(op):
    before, x = given_out(op, FAR, (FAR.size, 1)), FAR.reshape(-1, 1)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))
