import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import OPSET_RULE, lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

SHAPE = (2, 3, 5, 7)


def gather(index, *, axis=2, shape=SHAPE):
    return model([node("Gather", "x", "i", "y", axis=axis)], shape, {"i": np.array(index)})


@pytest.mark.parametrize(
    ("target", "before", "expected"),
    [
        ("onnxjs-0.1.3/cpu", gather([-1, 0, -5]), ["Gather"]),
        ("onnxjs-0.1.3/wasm", gather([[-1], [2]], axis=-1), ["Gather"]),
        ("onnxjs-0.1.8/webgl", gather(3), ["Gather", "Reshape"]),
        ("onnxjs-0.1.8/webgl", gather(-1, axis=0), ["Gather", "Reshape"]),
    ],
)
def test_indices_count_from_the_front_and_have_an_axis(target, before, expected):
    lowered = lower(before, targets.load(target))
    assert ops(lowered.model) == expected
    assert "gather-plain" in set(lowered.applied.rule)
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_where_both_are_right_they_stay():
    assert not len(lower(gather(1, axis=0), targets.load("onnxjs-0.1.8/cpu")).applied)
    assert list(lower(gather(-1, axis=0), targets.load("onnxjs-0.1.8/cpu")).applied.rule) == [OPSET_RULE]


def test_refusals():
    row = lower(gather(1, shape=(2, 3, 5, "w")), targets.load("onnxjs-0.1.8/webgl")).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "gather-plain")
    assert "--shape" in row.reason
