import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, run, values

OPENCV = targets.load("opencv/cpu")
SHAPE = (2, 3, 5, 7)


def norm(op, opset=18, **attributes):
    weights = {"s": values(3), "b": values(3)} if op == "InstanceNormalization" else {"s": values(7)}
    return model([node(op, "x", *weights, "y", **attributes)], SHAPE, weights, opset=opset)


@pytest.mark.parametrize(
    ("op", "opset"), [("InstanceNormalization", 7), ("InstanceNormalization", 22), ("LayerNormalization", 17)]
)
def test_a_norm_far_from_zero_is_right_in_opencv(op, opset):
    before = norm(op, opset)
    lowered = lower(before, OPENCV)
    assert lowered, lowered.refused.to_string()
    assert ops(lowered.model) == ["ReduceMean", "Sub", op]
    assert_same(before, lowered.model, values(*SHAPE), 2 * ROUNDING)
    x = values(*SHAPE) + np.float32(1000)
    expected = run(before, x)
    for proto, right in ((before, False), (lowered.model, True)):
        with open_runner(proto, OPENCV) as runner:
            assert (np.abs(runner.infer({"x": x})["y"] - expected).max() < 1e-3) == right
