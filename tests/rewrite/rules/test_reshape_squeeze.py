import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import assert_refused, model, node, ops, run

TARGET = targets.load("onnxjs-0.1.8/wasm")


def reshaped(old, new, *, opset=18, to=TensorProto.INT32):
    proto = model([node("Reshape", "x", "shape", "y")], old, {"shape": np.array(new)}, opset=opset)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.elem_type = to
    return proto


def whole_numbers(shape, dtype=np.int32):
    return np.arange(np.prod(shape), dtype=dtype).reshape(shape) - 7


@pytest.mark.parametrize("opset", [7, 18])
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((1, 5, 7), (5, 7), ["Squeeze"]),
        ((5, 7), (5, 1, 7, 1), ["Unsqueeze"]),
        ((1, 5, 7), (5, 7, 1), ["Squeeze", "Unsqueeze"]),
        ((1, 1), (1, 1, 1), ["Squeeze", "Unsqueeze"]),
        ((1, 1, 1), (1,), ["Squeeze"]),
    ],
)
def test_whole_numbers_are_rearranged(old, new, expected, opset):
    before = reshaped(old, new, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == expected
    x = whole_numbers(old)
    np.testing.assert_array_equal(run(lowered.model, x), run(before, x))


def test_int64():
    before, x = reshaped((3, 5), (3, 1, 5), to=TensorProto.INT64), whole_numbers((3, 5), np.int64)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (reshaped((3, 5), (5, 3)), "more than axes of size 1 change"),
        (reshaped(("N", 5), (5, -1)), "not fixed"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "reshape-squeeze", reason)


def test_a_computed_index_is_rearranged_too():
    nodes = [
        helper.make_node("ArgMax", ["x"], ["i"], axis=2, keepdims=0),
        node("Reshape", "i", "shape", "j"),
        node("Gather", "table", "j", "y"),
    ]
    constants = {"shape": np.array([3, 1, 5]), "table": np.arange(7, dtype=np.float32)}
    before = model(nodes, (3, 5, 7), constants)
    x = np.cos(whole_numbers((3, 5, 7))).astype(np.float32)
    np.testing.assert_array_equal(run(lower(before, TARGET).model, x), run(before, x))
