import numpy as np
import pytest

from fns_lab import targets
from fns_lab.models import RULE_PREFIX
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/wasm")
SHAPE = (2, 3, 5, 7)


def split(sizes, axis, *, opset=18, shape=SHAPE, **attributes):
    from onnx import helper

    names = [f"y{i}" for i in range(len(sizes or "12"))]
    given = {"sizes": np.array(sizes)} if sizes and opset >= 13 else {}
    attributes |= {"split": sizes} if sizes and opset < 13 else {}
    nodes = [
        helper.make_node("Split", ["x", *given], names, name="node_split", axis=axis, **attributes),
        node("Concat", *reversed(names), "y", axis=axis),
    ]
    return model(nodes, shape, given, opset=opset)


@pytest.mark.parametrize(
    "before",
    [
        split([3, 4], 3), split([2, 1, 2], 2, opset=7), split([1, 2], -3), split(None, -1, num_outputs=2),
        split(None, 0, opset=13), split(None, 0, opset=7),
    ],
)  # fmt: skip
def test_one_slice_an_output(before):
    lowered = lower(before, TARGET)
    parts = len(before.graph.node[0].output)
    assert ops(lowered.model) == ["Slice"] * parts + ["Concat"]
    assert before.graph.node[0].output[0] in {name for n in lowered.model.graph.node for name in n.output}
    assert [n.doc_string for n in lowered.model.graph.node[:parts]] == [RULE_PREFIX + "split-slice"] * parts
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_two_splits_into_different_numbers():
    from onnx import helper

    nodes = [
        helper.make_node("Split", ["x", "two"], ["a", "b"], axis=3, name="node_ab"),
        helper.make_node("Split", ["b", "three"], ["c", "d", "e"], axis=3, name="node_cde"),
        node("Concat", "e", "d", "c", "a", "y", axis=3),
    ]
    before = model(nodes, SHAPE, {"two": np.array([1, 6]), "three": np.array([1, 2, 3])})
    assert ops(lower(before, TARGET).model) == [*["Slice"] * 5, "Concat"]
    assert_same(before, lower(before, TARGET).model, values(*SHAPE), EXACT)


def test_a_target_that_has_it_gets_sizes_for_uneven_parts():
    before = split(None, 3, num_outputs=2)
    lowered = lower(before, targets.load("onnxjs-0.1.8/webgl"))
    assert ops(lowered.model) == ["Split", "Concat"]
    assert_same(before, lowered.model, values(*SHAPE), EXACT)


def test_refusals():
    lowered = lower(split(None, 3, num_outputs=2, shape=(2, 3, 5, "w")), TARGET)
    assert (lowered.refused.iloc[0].node, lowered.refused.iloc[0].rule) == ("node_split", "split-slice")
    assert "--shape" in lowered.refused.iloc[0].reason
