import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


def reverse(lengths, shape, time_axis=0):
    attributes = {"time_axis": time_axis, "batch_axis": 1 - time_axis}
    return model([node("ReverseSequence", "x", "l", "y", **attributes)], shape, {"l": np.array(lengths)})


@pytest.mark.parametrize(("shape", "time_axis"), [((5, 3, 2), 0), ((3, 5), 1), ((3, 5, 2, 2), 1)])
def test_one_gather(shape, time_axis):
    before = reverse([5, 1, 3], shape, time_axis)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "Gather", "Reshape"]
    assert_same(before, lowered.model, values(*shape), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"), [(reverse([5, 6, 1], (5, 3)), "outside of 0 to 5"), (reverse([5, 4], ("t", 2)), "--shape")]
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "reverse-sequence-gather", reason)
