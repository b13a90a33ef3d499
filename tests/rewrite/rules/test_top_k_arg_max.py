import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import assert_refused, model, ops, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (2, 3, 5, 7)


def top_k(shape=SHAPE, k=3, *, opset=18, outputs=("y", "places"), **attributes):
    inputs, constants = ["x", "k"], {"k": np.array([k])}
    if opset < 10:
        inputs, constants, attributes = ["x"], {}, attributes | {"k": k}
    nodes = [helper.make_node("TopK", inputs, list(outputs), name="node", **attributes)]
    proto = model(nodes, shape, constants, opset=opset)
    del proto.graph.output[:]
    types = {"y": TensorProto.FLOAT, "places": TensorProto.INT64}
    proto.graph.output.extend(helper.make_tensor_value_info(n, types[n], None) for n in outputs if n)
    return proto


def assert_outputs(before, x):
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert "TopK" not in ops(lowered.model)
    results = []
    for proto in (before, lowered.model):
        session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
        results.append(session.run(None, {"x": x}))
    for expected, actual in zip(*results, strict=True):
        assert expected.dtype == actual.dtype
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("opset", [9, 10, 18])
@pytest.mark.parametrize("axis", [0, 1, -1])
def test_values_and_places(axis, opset):
    assert_outputs(top_k(k=2, axis=axis if opset > 9 else axis % 4, opset=opset), values(*SHAPE))


@pytest.mark.parametrize("largest", [0, 1])
def test_of_equal_elements_the_first(largest):
    assert_outputs(top_k(k=7, largest=largest), np.round(values(*SHAPE)))


@pytest.mark.parametrize("given_out", [0, 1])
def test_one_of_the_outputs(given_out):
    before = top_k()
    del before.graph.output[1 - given_out]
    assert_outputs(before, values(*SHAPE))


def test_far_and_denormal_numbers():
    x = np.array([0.0, -0.0, 1e-45, -1e-45, 1.0, 3.4e38, -3.4e38], np.float32)
    assert_outputs(top_k((7,), 7), x)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (top_k((100,), 65), "1 to 64 are chosen"),
        (top_k(("N", 5000), 2), "not fixed"),
        (top_k((5000,), 2), "5000 elements"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "top-k-arg-max", reason)
