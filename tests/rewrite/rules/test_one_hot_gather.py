import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (6, 5)


def one_hot(depth, *, axis=-1, offset=0, shape=SHAPE, opset=18):
    """Return a model of the one-hot rows of indices from `offset` on."""
    nodes = [
        node("ArgMax", "x", "a", axis=0, keepdims=0),
        node("Gather", "numbers", "a", "i", axis=0),
        node("OneHot", "i", "depth", "two", "y", axis=axis),
    ]
    constants = {"numbers": np.arange(6) + offset, "depth": np.array(depth), "two": np.float32([0.25, 3])}
    return model(nodes, shape, constants, opset=opset)


@pytest.mark.parametrize("opset", [11, 18])
@pytest.mark.parametrize("axis", [0, 1, -2])
@pytest.mark.parametrize("offset", [0, -3, -9, 4])
def test_each_index_also_from_the_end_and_out_of_range(offset, axis, opset):
    before = one_hot(4, axis=axis, offset=offset, opset=opset)
    lowered = lower(before, TARGET)
    assert lowered, lowered.refused.to_string()
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (one_hot(4, shape=(6, "N")), "not fixed"),
        (one_hot(2000), "the depth is 2000"),
        (one_hot(4, opset=10), "below 0"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "one-hot-gather", reason)
