import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import assert_refused, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
INT32, INT64 = 6, 7


def embedding(shape, size=5, *, axis=0, to=INT32, opset=18):
    table = [4, 4, 4]
    table[axis] = size
    nodes = [node("Cast", "x", "i", to=to), node("Gather", "table", "i", "y", axis=axis)]
    return model(nodes, shape, {"table": values(*table)}, opset=opset)


def assert_looked_up(before, x, target=TARGET):
    lowered = lower(before, target)
    assert lowered, lowered.refused.to_string()
    assert "Cast" not in ops(lowered.model)
    np.testing.assert_array_equal(run(lowered.model, x), run(before, x))


@pytest.mark.parametrize("opset", [9, 11, 18])
@pytest.mark.parametrize("to", [INT32, INT64])
@pytest.mark.parametrize("axis", [0, 1])
def test_a_float_as_an_index(axis, to, opset):
    x = np.float32([[0, 1, 2], [4, 3, 0]])
    assert_looked_up(embedding(x.shape, axis=axis, to=to, opset=opset), x)


def test_fractions_are_dropped_and_negative_indices_count_from_the_end():
    x = np.float32([0.9, -0.9, 1.5, -1.5, 3.999, -3.5, -5, 4, 1e-45, -0.0])
    assert_looked_up(embedding(x.shape), x)
    assert_looked_up(embedding(x.shape), x, targets.load("onnxjs-0.1.3/cpu"))


def test_one_index():
    assert_looked_up(embedding(()), np.array(3, np.float32))


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (embedding(("N", 3)), "not fixed"),
        (embedding((1000,), 5000), "10000000 elements"),
        (model([node("Cast", "x", "i", to=INT32), node("Cast", "i", "j", to=INT64), node("Gather", "t", "j", "y")],
               (2,), {"t": np.zeros(3, np.float32)}), "float32 is needed"),
    ],
)  # fmt: skip
def test_refusals(before, reason):
    assert_refused(before, TARGET, "gather-by-number", reason)
