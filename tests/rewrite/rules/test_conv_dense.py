import numpy as np
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import ROUNDING, assert_same, model, node, ops, values

SHAPE = (1, 4, 9, 11)


def conv(group=1, *, dilations=(1, 1), **attributes):
    weights = {"w": values(6, 4 // group, 3, 2), "b": values(6)}
    return model([node("Conv", "x", "w", "b", "y", group=group, dilations=dilations, **attributes)], SHAPE, weights)


@pytest.mark.parametrize(
    ("target", "before", "kernel"),
    [
        ("onnxjs-0.1.8/webgl", conv(2, pads=[1, 0, 2, 1]), (6, 4, 3, 2)),
        ("onnxjs-0.1.3/cpu", conv(2, dilations=(2, 1)), (6, 4, 3, 2)),
        ("onnxjs-0.1.3/wasm", conv(2, dilations=(2, 3)), (6, 2, 5, 4)),
        ("onnxjs-0.1.8/wasm", conv(2, dilations=(2, 3)), (6, 2, 3, 2)),
    ],
)
def test_only_what_the_engine_gets_wrong_is_written_out(target, before, kernel):
    lowered = lower(before, targets.load(target))
    assert ops(lowered.model) == ["Conv"]
    (found,) = [tuple(t.dims) for t in lowered.model.graph.initializer if len(t.dims) == 4]
    assert found == kernel
    assert_same(before, lowered.model, values(*SHAPE), ROUNDING)


def test_one_channel_a_group_is_right_on_webgl():
    before = model([node("Conv", "x", "w", "y", group=4)], SHAPE, {"w": values(4, 1, 3, 3)})
    assert not len(lower(before, targets.load("onnxjs-0.1.8/webgl")).applied)


def test_refusals():
    nodes = [
        node("Transpose", "v", "t", perm=[1, 0, 2, 3]),
        node("Mul", "t", "m", "w"),
        node("Conv", "x", "w", "y", group=2),
    ]
    nodes.insert(0, node("ReduceMean", "x", "axes", "m", keepdims=0))
    before = model(nodes, SHAPE, {"v": values(2, 6, 3, 2), "axes": np.arange(4)})
    row = lower(before, targets.load("onnxjs-0.1.8/webgl")).refused.iloc[0]
    assert (row.node, row.rule) == ("node_y", "conv-dense")
    assert "w is computed" in row.reason
