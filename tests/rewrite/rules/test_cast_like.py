import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, run, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
SHAPE = (2, 3, 5, 7)


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/webgl", "onnxjs-0.1.8/wasm", "onnxjs-0.1.3/cpu"])
def test_a_boolean_like_a_number(target):
    nodes = [node("Greater", "x", "one", "more"), node("CastLike", "more", "one", "y")]
    before = model(nodes, SHAPE, {"one": np.ones(1, np.float32)})
    lowered = lower(before, targets.load(target))
    assert lowered, lowered.refused.to_string()
    assert not {"CastLike", "Cast"} & set(ops(lowered.model))
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_a_cast_where_the_target_has_one():
    before = model([node("CastLike", "x", "whole", "i"), node("Cast", "i", "y", to=1)], SHAPE, {"whole": np.int32([1])})
    lowered = lower(before, targets.load("ort-web/webgl"))
    assert "CastLike" not in ops(lowered.model)
    x = values(*SHAPE)
    np.testing.assert_array_equal(run(lowered.model, x), run(before, x))
