import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")


INDICES = np.array([[[[5, 7], [13, 15]]]])


def unpool(indices=INDICES, shape=(1, 1, 2, 2), output_shape=None, **attributes):
    constants = {"i": indices} | ({} if output_shape is None else {"s": np.array(output_shape)})
    attributes = {"kernel_shape": [2, 2], "strides": [2, 2]} | attributes
    return model([node("MaxUnpool", "x", *constants, "y", **attributes)], shape, constants)


@pytest.mark.parametrize("output_shape", [None, (1, 1, 4, 4)])
def test_values_among_zeros(output_shape):
    before = unpool(output_shape=output_shape)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Reshape", "Concat", "Gather", "Reshape"]
    assert_same(before, lowered.model, values(1, 1, 2, 2), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (unpool(output_shape=(1, 1, 5, 5)), "[1, 1, 4, 4] follows from the kernel"),
        (unpool(INDICES + 1), "outside of the output"),
    ],
)
def test_refusals(before, reason):
    assert_refused(before, TARGET, "max-unpool-gather", reason)
