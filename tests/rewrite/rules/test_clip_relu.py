import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_refused, assert_same, model, node, ops, values

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


@pytest.mark.parametrize(("limits", "reason"), [((2.0, 1.0), "above the upper"), ((-1e9, 1.0), "beyond 8")])
def test_limits_that_are_refused(limits, reason):
    constants = {k: np.array(v, np.float32) for k, v in zip(("low", "high"), limits, strict=True)}
    before = model([node("Clip", "x", "low", "high", "y")], (2, "C", 5, 7), constants)
    assert_refused(before, TARGET, "clip-relu", reason)


def test_a_computed_limit_is_refused():
    nodes = [node("ReduceMax", "x", "high", keepdims=0), node("Clip", "x", "", "high", "y")]
    assert_refused(model(nodes, (2, "C", 5, 7)), TARGET, "clip-relu", "computed")
