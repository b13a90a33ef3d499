"""Faults that ONNX Runtime and ORT Web share: each refused, seen in the engine, and right again where `lower` can."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from fns_lab import models, targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.float64 import Float64Runner
from fns_lab.targets import check
from tests import seeds
from tests.runtimes.graphs import FLOAT32_ERROR, graph, worst_error

GAUSS = seeds.generator()
TARGETS = [
    "ort/cpu",
    pytest.param("ort-web/wasm", marks=pytest.mark.browser),
    pytest.param("ort-web/webgpu", marks=pytest.mark.browser),
]


def one(op, feeds, constants, *, opset=13, **attributes):
    """Return a model of one node that reads the feeds, then the constants."""
    nodes = [helper.make_node(op, [*feeds, *constants], ["y"], **attributes)]
    return models.infer_shapes(
        graph(nodes, feeds, constants, outputs={"y": None}, opset=opset, ir_version=8, initializers_are_inputs=False)
    )


def conv(**attributes):
    feeds = {"x": GAUSS.normal(size=(1, 3, 9, 11)).astype(np.float32)}
    return one("Conv", feeds, {"w": GAUSS.normal(size=(4, 3, 3, 2)).astype(np.float32)}, **attributes), feeds


def one_hot(indices, depth):
    feeds = {"i": np.array([[0, 4], [2, 1]], indices)}
    return one("OneHot", feeds, {"d": np.array(5, depth), "v": np.array([0.5, 2.0], np.float32)}), feeds


FAULTS = {
    "dilated-same": (conv(auto_pad="SAME_UPPER", dilations=[2, 1]), conv(auto_pad="SAME_UPPER"), True),
    "one-hot-types": (one_hot(np.float32, np.int64), one_hot(np.int64, np.int64), False),
    "one-hot-types of whole numbers": (one_hot(np.int32, np.int64), one_hot(np.int32, np.int32), True),
}
"""By quirk: a model that fails with its feeds, one near it that is right, and whether `lower` mends the first."""


def error_of(model, target, feeds) -> float:
    """Return the largest error of `target`, compared with float64."""
    with Float64Runner(model) as runner:
        expected = runner.infer(feeds)["y"]
    with open_runner(model, target) as runner:
        return worst_error(runner.infer(feeds)["y"], expected.astype(np.float32))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_node_that_fails_is_refused_and_lowered_where_a_rule_can(name, target):
    (model, feeds), (near, near_feeds), is_lowered = FAULTS[name]
    target = targets.load(target)
    quirk = next(quirk for quirk in target.quirks if quirk.name == name.split()[0])
    assert quirk.summary in check(model, target).table.reason.iloc[0]
    assert check(near, target) and error_of(near, target, near_feeds) < FLOAT32_ERROR
    with pytest.raises(RuntimeFault):
        error_of(model, target, feeds)
    lowered = lower(model, target)
    assert bool(lowered) is is_lowered, str(lowered)
    if lowered:
        assert error_of(lowered.model, target, feeds) < FLOAT32_ERROR
