import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import model, node, run

OLDEST = targets.load("onnxjs-0.1.3/cpu")
TINY = np.float32([0, 1e-30, 1e-8, 1e-5, 1e-3, 0.1, 0.9])
FAR = np.float32([1, 1.5, 20, 80, 88.9])
HUGE = np.float32([1e5, 1e19, 1e30, 3e38])
RANGES = {
    "Sinh": np.concatenate([-TINY, FAR, -FAR]),
    "Cosh": np.concatenate([-TINY, FAR, -FAR]),
    "Asinh": np.concatenate([TINY, -TINY, FAR, -FAR, HUGE, -HUGE]),
    "Acosh": np.concatenate([1 + TINY[3:], FAR, HUGE]),
    "Atanh": np.concatenate([TINY, -TINY, 1 - TINY[4:6], TINY[4:6] - 1]),
}


@pytest.mark.parametrize("opset", [9, 22])
@pytest.mark.parametrize("op", RANGES)
def test_each_function_is_precise_near_0_and_does_not_overflow(op, opset):
    x = RANGES[op]
    before = model([node(op, "x", "y")], x.shape, opset=opset)
    lowered = lower(before, OLDEST)
    assert lowered, lowered.refused.to_string()
    right = getattr(np, op.lower().replace("a", "arc", 1) if op[0] == "A" else op.lower())(x.astype(np.float64))
    np.testing.assert_allclose(run(lowered.model, x), right, rtol=2e-6)
