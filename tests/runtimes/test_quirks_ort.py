"""Faults that ONNX Runtime and ORT Web share: each refused, seen in the engine, and right again where `lower` can."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import models, targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.float64 import Float64Runner
from fns_lab.targets import check
from tests import seeds
from tests.runtimes.graphs import graph, worst_error

GAUSS = seeds.generator()
NEAR = 1e-3
"""Largest relative error of a right result, compared with float64: the power in an LRN is 1.5e-4 off."""
TARGETS = [
    "ort/cpu",
    pytest.param("ort-web/wasm", marks=pytest.mark.browser),
    pytest.param("ort-web/webgpu", marks=pytest.mark.browser),
]


def one(op, feeds, constants, *, opset=13, output_type=TensorProto.FLOAT, **attributes):
    """Return a model of one node that reads the feeds, then the constants."""
    nodes = [helper.make_node(op, [*feeds, *constants], ["y"], **attributes)]
    model = graph(
        nodes, feeds, constants, outputs={"y": None}, output_type=output_type, opset=opset, ir_version=8,
        initializers_are_inputs=False,
    )  # fmt: skip
    return models.infer_shapes(model)


def conv(**attributes):
    feeds = {"x": GAUSS.normal(size=(1, 3, 9, 11)).astype(np.float32)}
    return one("Conv", feeds, {"w": GAUSS.normal(size=(4, 3, 3, 2)).astype(np.float32)}, **attributes), feeds


def one_hot(indices, depth):
    feeds = {"i": np.array([[0, 4], [2, 1]], indices)}
    return one("OneHot", feeds, {"d": np.array(5, depth), "v": np.array([0.5, 2.0], np.float32)}), feeds


def lrn(*shape):
    feeds = {"x": GAUSS.normal(size=shape).astype(np.float32)}
    return one("LRN", feeds, {}, size=3), feeds


FAULTS = {
    "dilated-same": (conv(auto_pad="SAME_UPPER", dilations=[2, 1]), conv(auto_pad="SAME_UPPER"), True),
    "one-hot-types": (one_hot(np.float32, np.int64), one_hot(np.int64, np.int64), False),
    "images-only": (lrn(2, 3, 7), lrn(2, 3, 4, 5), True),
    "one-hot-types of whole numbers": (one_hot(np.int32, np.int64), one_hot(np.int32, np.int32), True),
}
"""By quirk: a model that fails with its feeds, one near it that is right, and whether `lower` fixes the first."""


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
    assert check(near, target) and error_of(near, target, near_feeds) < NEAR
    with pytest.raises(RuntimeFault):
        error_of(model, target, feeds)
    lowered = lower(model, target)
    assert bool(lowered) is is_lowered, str(lowered)
    if lowered:
        assert error_of(lowered.model, target, feeds) < NEAR


def typed(op, shape, dtype, opset, **attributes):
    output_type = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return one(op, {"x": np.ones(shape, dtype)}, {}, opset=opset, output_type=output_type, **attributes)


WITHOUT_CODE = {
    "Elu": (typed("Elu", (2, 3), np.float64, 22), typed("Elu", (2, 3), np.float32, 22)),
    "Softplus": (typed("Softplus", (2, 3), np.float64, 22), typed("Softplus", (2, 3), np.float32, 22)),
    "Det": (typed("Det", (3, 3), np.float64, 11), typed("Det", (3, 3), np.float32, 11)),
    "Unique": (typed("Unique", (5,), np.int32, 11), typed("Unique", (5,), np.int64, 11)),
}
"""By op: a model of an element type that it has no code for, and one that it has."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("op", WITHOUT_CODE)
def test_an_element_type_without_code_is_refused(op, target):
    model, other = WITHOUT_CODE[op]
    target = targets.load(target)
    assert check(other, target)
    assert f"{op} of" in check(model, target).table.reason.iloc[0]
    with pytest.raises(RuntimeFault, match=f"Could not find an implementation|Provider type for {op} node"):
        open_runner(model, target)
