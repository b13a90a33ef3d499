import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")


def expand(old, new):
    return model([node("Expand", "x", "s", "y")], old, {"s": np.array(new)})


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ((2, 1, 1, 7), (2, 3, 5, 7), ["Tile"]),
        ((1, 7), (2, 3, 5, 1), ["Reshape", "Tile"]),
        ((3, 1), (1, 4), ["Tile"]),
    ],
)
def test_repeats_of_what_there_is(old, new, expected):
    before = expand(old, new)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*old), EXACT)


def test_refusals():
    row = lower(expand((2, 1, "w"), (2, 3, 1)), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "expand-tile")
    assert "--shape" in row.reason


@pytest.mark.parametrize(("shape", "new"), [((), []), ((2, 3), [2, 3]), ((2, 3), [1, 1])])
def test_an_expand_to_the_same_shape_is_no_tile(shape, new):
    before = model([node("Expand", "x", "s", "y")], shape, {"s": np.array(new, np.int64)})
    lowered = lower(before, TARGET)
    assert lowered
    assert "Tile" not in ops(lowered.model)
    assert_same(before, lowered.model, values(*shape), EXACT)
