import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
SHAPE = (2, 3, 5, 7)
END = np.iinfo(np.int64).max


def sliced(starts, ends, axes, steps, *, shape=SHAPE):
    numbers = {"starts": starts, "ends": ends, "axes": axes, "steps": steps}
    return model([node("Slice", "x", *numbers, "y")], shape, {k: np.array(v) for k, v in numbers.items()})


@pytest.mark.parametrize(
    ("before", "gathers"),
    [
        (sliced([0, 1], [END, 6], [2, 3], [2, 3]), 2),
        (sliced([-1], [-END], [3], [-1]), 1),
        (sliced([-2, 0], [0, 3], [-1, 1], [-2, 1]), 1),
        (sliced([0], [END], [2], [2]), 1),
    ],
)
def test_one_gather_an_axis(before, gathers):
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather"] * gathers
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_without_steps_it_stays_a_slice():
    before = sliced([1], [END], [2], [1])
    assert ops(lower(before, TARGET).model) == ["Slice"]


def test_refusals():
    row = lower(sliced([0], [END], [3], [2], shape=(2, 3, 5, "w")), TARGET).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "slice-gather")
    assert "--shape" in row.reason


@pytest.mark.parametrize(("start", "end"), [(-1000, -(2**62)), (1000, 0), (2, -1000)])
def test_a_negative_step_starts_within_the_array(start, end):
    limits = {"s": np.array([start]), "e": np.array([end]), "a": np.array([-1]), "step": np.array([-1])}
    before = model([node("Slice", "x", *limits, "y")], (2, 5), limits)
    lowered = lower(before, TARGET)
    assert lowered
    x = values(2, 5)
    np.testing.assert_array_equal(run(lowered.model, x), run(before, x))
