import numpy as np

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import model, node

TARGET = targets.load("onnxjs-0.1.8/cpu")


def test_casts_of_the_model_stay_since_they_may_cut_off_digits():
    before = model([node("Cast", "x", "i", to=3), node("Cast", "i", "y", to=1)], (2, 3))
    lowered = lower(before, TARGET)
    assert not lowered
    assert "cast-removed" not in set(lowered.applied.rule)


def test_a_cast_to_another_type_than_float32_stays():
    nodes = [node("QuantizeLinear", "x", "s", "q"), node("Cast", "q", "i", to=6), node("Cast", "i", "y", to=1)]
    lowered = lower(model(nodes, (2, 3), {"s": np.float32(1)}), TARGET)
    assert not lowered
    assert "cast-removed" not in set(lowered.applied.rule)
