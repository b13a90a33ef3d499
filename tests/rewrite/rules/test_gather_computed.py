import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.targets import check
from tests.rewrite.graphs import model, node, ops

TARGETS = [targets.load("onnxjs-0.1.3/cpu"), targets.load("onnxjs-0.1.4/wasm")]
SHAPE = (2, 3, 5, 7)


def gather(indices_shape, axis, *, x_shape=SHAPE, opset=13):
    return helper.make_model(
        helper.make_graph(
            [node("Gather", "x", "i", "y", axis=axis)],
            "test",
            [
                helper.make_tensor_value_info("x", TensorProto.FLOAT, x_shape),
                helper.make_tensor_value_info("i", TensorProto.INT64, indices_shape),
            ],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        ),
        opset_imports=[helper.make_opsetid("", opset)],
        ir_version=8,
    )


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("indices", [np.array(-5), np.array([-5, -1, 0, 4]), np.array([[1, -2], [-3, 3]])])
def test_negative_and_other_indices(indices, target):
    before = gather(indices.shape, -2)
    assert not check(gather(indices.shape, 2, opset=7), target)
    lowered = lower(before, target)
    assert lowered, lowered.refused.to_string()
    assert set(lowered.applied.rule) == {"gather-computed", "opset"}
    x = np.random.default_rng(0).normal(size=SHAPE).astype(np.float32)
    session = onnxruntime.InferenceSession(lowered.model.SerializeToString(), providers=["CPUExecutionProvider"])
    feeds = {value.name: {"x": x, "i": indices}[value.name] for value in session.get_inputs() if value.name in "xi"}
    np.testing.assert_array_equal(session.run(None, feeds)[0], np.take(x, indices, axis=2))


def test_indices_that_are_never_negative_stay():
    nodes = [node("ArgMax", "x", "first", axis=0), node("Gather", "t", "first", "y", axis=0)]
    lowered = lower(model(nodes, (3, 4), {"t": np.ones((3, 2), np.float32)}, opset=11), TARGETS[0])
    assert lowered
    assert ops(lowered.model) == ["ArgMax", "Gather"]


def test_a_size_that_is_not_fixed_is_refused():
    lowered = lower(gather((2,), 0, x_shape=("n", 3)), TARGETS[0])
    row = lowered.refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "gather-computed")
    assert "--shape" in row.reason
