import numpy as np
import pytest
from onnx import helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node, ops

TRACT = targets.load("tract/cpu")
X = np.array([[3e9, -3e9, 5.9, -0.4]], np.float32)
CAST, SHAPE, LARGEST = node("Cast", "x", "i", to=7), node("Shape", "x", "i"), {"k": np.array([1])}


def top(axis):
    return helper.make_node("TopK", ["i", "k"], ["v", "y"], axis=axis)


@pytest.mark.parametrize(
    ("nodes", "constants", "expected"),
    [
        ([node("Cast", "x", "y", to=7)], {}, [[3000000000, -3000000000, 5, 0]]),
        ([CAST, top(1)], LARGEST, [[0]]),
    ],
    ids=["beyond-int32", "read-by-TopK"],
)
def test_numbers_beyond_int32_survive_in_tract(nodes, constants, expected):
    before = model(nodes, X.shape, constants, opset=15)
    before.graph.output[0].type.tensor_type.elem_type = 7
    assert not targets.check(before, TRACT)
    lowered = lower(before, TRACT)
    assert lowered, lowered.refused.to_string()
    assert "CastLike" in ops(lowered.model) and "Cast" not in ops(lowered.model)
    with open_runner(lowered.model, TRACT) as runner:
        np.testing.assert_array_equal(runner.infer({"x": X})["y"], expected)


def test_an_older_opset_and_another_type_are_refused():
    older = lower(model([CAST, top(1)], X.shape, LARGEST, opset=14), TRACT)
    assert not older
    assert "CastLike comes with opset 15" in older.refused.to_string()
    assert not lower(model([SHAPE, top(0)], ("n", "m"), LARGEST, opset=15), TRACT)
