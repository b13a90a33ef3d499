"""Integers that an engine computes in float32: refused, or said to be left open."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto

from fns_lab import models, targets
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import graph, node

HELD = 2**24
"""The largest number up to which float32 holds every integer."""
TRIANGLE = np.array([[6291456, 8388608]], np.int32)
"""Two sides of a triangle whose squares overflow int32; the third is 10485760."""


def one(op, x, constants=None, output_type=TensorProto.INT32, **attributes):
    """Return a model of one node of a matrix."""
    inputs = " ".join(["x", *(constants or {})])
    return models.infer_shapes(
        graph(
            [node(op, inputs, "y", **attributes)], {"x": x}, constants, outputs={"y": None}, opset=12, ir_version=8,
            output_type=output_type, initializers_are_inputs=False,
        )
    )  # fmt: skip


def result(model, x, name):
    with open_runner(model, name) as runner:
        return runner.infer({"x": x})["y"]


ROUNDED = {
    "webgpu, Pow": (
        "ort-web/webgpu",
        ("Pow", np.array([[999, 1000]], np.int32), {"n": np.array(2, np.int32)}),
        [[998001, 1000000]],
    ),
    "webgpu, ReduceL2": ("ort-web/webgpu", ("ReduceL2", TRIANGLE), [10485760]),
    "openvino, ReduceL2": ("openvino/cpu", ("ReduceL2", TRIANGLE), [10485760]),
    "tract, ReduceSumSquare": (
        "tract/cpu",
        ("ReduceSumSquare", np.array([[4099, 4101]], np.int32)),
        [33620002],
    ),
}
"""By engine and op: the target, the node and its input, and the right result."""


@pytest.mark.parametrize(
    "fault",
    [pytest.param(name, marks=pytest.mark.browser) if "webgpu" in name else name for name in ROUNDED],
)
def test_an_op_that_rounds_integers_is_refused_for_them(fault):
    name, (op, x, *constants), expected = ROUNDED[fault]
    target, attributes = targets.load(name), {"axes": [-1], "keepdims": 0} if op.startswith("Reduce") else {}
    model = one(op, x, *constants, **attributes)
    assert not targets.check(model, target)
    assert not np.array_equal(result(model, x, name), expected)
    floats = x.astype(np.float32)
    assert targets.check(one(op, floats, *constants, output_type=TensorProto.FLOAT, **attributes), target)


@pytest.mark.parametrize("name", ["ort-web/webgpu", "openvino/cpu", "tract/cpu"])
@pytest.mark.parametrize("op", ["ReduceL2", "ReduceSumSquare"])
def test_axes_are_no_data(name, op):
    """From opset 18 on they are an input of integers."""
    x, axes = np.ones((2, 3), np.float32), {"a": np.array([1])}
    model = graph([node(op, "x a", "y")], {"x": x}, axes, outputs={"y": (2, 1)}, opset=18, ir_version=8)
    assert targets.check(model, targets.load(name))


@pytest.mark.parametrize(
    "name",
    [
        "openvino/cpu",
        *(pytest.param(f"{engine}/webgl", marks=pytest.mark.browser) for engine in ("onnxjs-0.1.8", "ort-web")),
    ],
)
def test_an_engine_that_computes_in_float32_says_so(name):
    """It takes two integers for equal that differ by 1."""
    x = np.array([[HELD + 1, HELD - 1]], np.int32)
    model = one("Equal", x, {"k": np.full((1, 2), HELD, np.int32)}, output_type=TensorProto.BOOL)
    check = targets.check(model, targets.load(name))
    assert check and "beyond float32" in check.undefined_values["*"]
    assert result(model, x, name).tolist() == [[True, False]]


@pytest.mark.browser
@pytest.mark.parametrize("op", ["ReduceL1", "ReduceMean", "ReduceProd", "ReduceSum", "ReduceSumSquare"])
def test_webgpu_says_which_reductions_of_integers_it_computes_in_float32(op):
    """Those with over 1,024 results."""
    row, expected = {
        "ReduceMean": ([HELD + 1] * 2, HELD + 1),
        "ReduceProd": ([HELD + 1, 1], HELD + 1),
        "ReduceSumSquare": ([4099, 1], 4099**2 + 1),
    }.get(op, ([HELD, 1], HELD + 1))
    x = np.resize(np.array(row, np.int32), (1025, 2))
    few, many = (one(op, rows, axes=[1], keepdims=0) for rows in (x[1:], x))
    assert targets.check(many, targets.load("ort-web/webgpu")).undefined_values[op] == ["beyond float32"]
    assert (result(few, x[1:], "ort-web/webgpu") == expected).all()
    assert not (result(many, x, "ort-web/webgpu") == expected).any()
