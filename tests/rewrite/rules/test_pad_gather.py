import numpy as np
import pytest

from fns_lab import targets
from fns_lab.models import RULE_PREFIX
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_refused, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


def pad(pads, mode, shape=SHAPE, **constants):
    return model([node("Pad", "x", "pads", *constants, "y", mode=mode)], shape, {"pads": np.array(pads), **constants})


@pytest.mark.parametrize("mode", ["reflect", "edge", "wrap"])
@pytest.mark.parametrize(
    ("pads", "gathers"),
    [
        ([0, 0, 1, 1, 0, 0, 1, 1], 2),
        ([0, 0, 4, 3, 0, 0, 2, 6], 2),
        ([0, 0, 0, 2, 0, 0, 0, 0], 1),
        ([1, 2, 1, 1, 0, 1, 1, 1], 4),
        ([0, 0, -1, 2, 0, 0, 1, -2], 2),
    ],
)
def test_gathers_equal_the_pad(mode, pads, gathers):
    if mode == "wrap":
        pads = [max(p, 0) for p in pads]
    before = pad(pads, mode)
    lowered = lower(before, TARGET)
    assert lowered
    assert ops(lowered.model) == ["Gather"] * gathers
    assert all(n.doc_string == RULE_PREFIX + "pad-gather" for n in lowered.model.graph.node)
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_pads_given_for_some_axes_only():
    before = pad([1, 2, 0, 3], "reflect", empty=np.array(0.0, np.float32), axes=np.array([-1, 2]))
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_pads_are_an_attribute_at_opset_7():
    before = model([node("Pad", "x", "y", mode="reflect", pads=[0, 0, 2, 1, 0, 0, 1, 2])], SHAPE, opset=7)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == ["Gather", "Gather"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_a_target_that_has_pad_keeps_it_with_its_pads_as_attribute():
    before = pad([0, 0, 1, 2, 0, 0, 3, 1], "reflect")
    lowered = lower(before, targets.load("onnxjs-0.1.3/webgl"))
    assert lowered
    assert ops(lowered.model) == ["Pad"]
    assert list(lowered.model.graph.node[0].attribute[1].ints) == [0, 0, 1, 2, 0, 0, 3, 1]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


@pytest.mark.parametrize(
    ("before", "reason"),
    [
        (pad([0, 0, -1, 1, 0, 0, 1, 1], "wrap"), "wrap needs pads of at least 0"),
        (pad([0, 0, 5, 1, 0, 0, 1, 1], "reflect"), "needs more than the 5 values"),
        (pad([0, 0, 1, 1, 0, 0, 1, 1], "reflect", shape=(1, 3, "h", 7)), "--shape"),
    ],
)
def test_refusals(before, reason):
    lowered = lower(before, TARGET)
    assert not lowered
    row = lowered.refused[lowered.refused.rule == "pad-gather"].iloc[0]
    assert row.node == "node_y"
    assert reason in row.reason


def test_computed_pads_are_refused_by_name():
    nodes = [
        node("Shape", "x", "shape"),
        node("Slice", "shape", "zero", "two", "first"),
        node("Concat", *["first"] * 4, "pads", axis=0),
        node("Pad", "x", "pads", "y", mode="edge"),
    ]
    before = model(nodes, ("n", 3, 5, 7), {"zero": np.array([0]), "two": np.array([2])})
    lowered = lower(before, TARGET)
    assert not lowered
    assert "pads" in " ".join(lowered.refused[lowered.refused.rule == "pad-gather"].reason)


def test_a_reflection_that_would_read_what_a_negative_pad_cuts_off_is_refused():
    assert_refused(pad([0, 0, 2, 0, 0, 0, -3, 0], "reflect"), TARGET, "pad-gather", "needs more than the 2 values")
