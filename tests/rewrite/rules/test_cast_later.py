import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/cpu")
CONSTANTS = {"s": np.float32(0.1), "z": np.int8(4), "more": np.full((2, 1, 4, 4), -9, np.int8)}


def between(*nodes):
    """Return a model of these nodes from q to m, on integers of 8 bits."""
    around = [node("QuantizeLinear", "x", "s", "z", "q"), *nodes, node("DequantizeLinear", "m", "s", "z", "y")]
    return model(around, (2, 3, 4, 4), CONSTANTS)


@pytest.mark.parametrize(
    "before",
    [
        between(node("Transpose", "q", "m", perm=[3, 0, 1, 2])),
        between(node("Concat", "q", "more", "m", axis=1)),
        between(node("MaxPool", "q", "p", kernel_shape=[3, 2], pads=[1, 0, 1, 1]), node("Flatten", "p", "m")),
    ],
    ids=["transpose", "concat", "pool"],
)
def test_no_cast_is_left(before):
    lowered = lower(before, TARGET)
    assert lowered
    assert "Cast" not in ops(lowered.model)
    assert set(lowered.applied.rule) >= {"cast-later", "cast-removed"}
    assert_same(before, lowered.model, values(2, 3, 4, 4), EXACT)


def test_a_concat_with_integers_that_were_given_is_refused():
    before = between(node("Concat", "q", "given", "m", axis=1))
    given = before.graph.input.add()
    given.CopyFrom(before.graph.input[0])
    given.name, given.type.tensor_type.elem_type = "given", 3
    assert_refused(before, TARGET, "cast-later", "given is not computed in float32")
