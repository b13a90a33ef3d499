import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)


def gather_nd(indices, *, shape=SHAPE, **attributes):
    return model([node("GatherND", "x", "i", "y", **attributes)], shape, {"i": np.array(indices)})


@pytest.mark.parametrize(
    "indices", [[[1, 2], [0, -1]], [[[1, 2, 4, 6]], [[0, 0, 0, -1]]], [1], [[0], [1], [0]], [[1, 2, 4, 6]]]
)
def test_the_indexed_axes_become_one(indices):
    before = gather_nd(indices)
    lowered = lower(before, TARGET)
    assert [op for op in ops(lowered.model) if op != "Reshape"] == ["Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [(gather_nd([[1], [0]], batch_dims=1), "batch"), (gather_nd([[1, 0]], shape=(2, 3, "h", 7)), "--shape")],
)
def test_refusals(before, reason):
    row = lower(before, TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "gather-nd-gather")
    assert reason in row.reason
