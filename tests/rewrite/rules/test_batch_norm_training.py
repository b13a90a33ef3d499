import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


def batch_norm(shape, used="y", opset=15):
    weights = {name: np.abs(values(3)) for name in "gbmv"}
    before = model([node("BatchNormalization", "x", *weights, "y", training_mode=1)], shape, weights, opset=opset)
    before.graph.node[0].output.extend(["mean", "variance"])
    before.graph.output[0].name = used
    before.graph.output[0].type.tensor_type.ClearField("shape")
    return onnx.shape_inference.infer_shapes(before)


@pytest.mark.parametrize("opset", [14, 15])
@pytest.mark.parametrize("used", ["y", "mean", "variance"])
@pytest.mark.parametrize("shape", [(5, 3), (2, 3, 5, 7), (1, 3, 4, 2, 5)])
def test_each_output(shape, used, opset):
    before = batch_norm(shape, used, opset)
    lowered = lower(before, TARGET)
    assert lowered
    assert_same(before, lowered.model, values(*shape), ROUNDING)


def test_a_size_that_is_not_fixed_is_refused():
    assert_refused(batch_norm((2, 3, "h", 7)), TARGET, "batch-norm-training", "--shape")
