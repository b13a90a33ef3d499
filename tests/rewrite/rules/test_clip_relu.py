import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.3/cpu")
SHAPE = (2, 3, 5, 7)


def clip(low=None, high=None, *, opset=18):
    limits = {k: v for k, v in (("low", low), ("high", high)) if v is not None}
    if opset < 11:
        names = {"low": "min", "high": "max"}
        return model([node("Clip", "x", "y", **{names[k]: v for k, v in limits.items()})], SHAPE, opset=opset)
    inputs = [name if name in limits else "" for name in ("low", "high")]
    constants = {k: np.array(v, np.float32) for k, v in limits.items()}
    return model([node("Clip", "x", *inputs, "y")], SHAPE, constants, opset=opset)


@pytest.mark.parametrize("opset", [7, 18])
@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        ((0.0, 6.0), ["Relu", "Sub", "Relu", "Sub"]),
        ((-0.5, 1.5), ["Sub", "Relu", "Sub", "Relu", "Sub"]),
        ((0.5, None), ["Sub", "Relu", "Add"]),
        ((0.0, None), ["Relu"]),
        ((None, 1.5), ["Sub", "Relu", "Sub"]),
    ],
)
def test_each_limit_is_a_relu(limits, expected, opset):
    before = clip(*limits, opset=opset)
    lowered = lower(before, TARGET)
    assert ops(lowered.model) == expected
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_a_target_that_has_it_gets_attributes():
    lowered = lower(clip(-0.5, 1.5), targets.load("onnxjs-0.1.8/wasm"))
    assert ops(lowered.model) == ["Clip"]
    assert len(lowered.model.graph.node[0].input) == 1


def test_refusals():
    crossed = lower(clip(2.0, 1.0), TARGET).refused.iloc[0]
    assert (crossed.node, crossed.rule) == ("node_y", "clip-relu")
    assert "above the upper" in crossed.reason
    nodes = [node("ReduceMax", "x", "high", keepdims=0), node("Clip", "x", "", "high", "y")]
    assert "computed" in lower(model(nodes, SHAPE), TARGET).refused.iloc[0].reason
