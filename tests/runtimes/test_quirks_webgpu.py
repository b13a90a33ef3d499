"""The faults of ONNX Runtime Web on webgpu, each beside a similar node that is right, and right when lowered."""

from __future__ import annotations

import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import graph, image, node, worst_error

pytestmark = pytest.mark.browser

TARGET = targets.load("ort-web/webgpu")
GPU_ERROR = 1e-3
WRONG = 0.05


def error_of(model, x, lowered=None) -> float:
    """The error of `model`, or of its lowered form, against ONNX Runtime's CPU engine in the same browser."""
    with open_runner(model, "ort-web/wasm") as runner:
        expected = runner.infer({"x": x})["y"]
    with open_runner(lowered or model, TARGET) as runner:
        return worst_error(runner.infer({"x": x})["y"], expected)


def conv(channels, filters, *kernel, group=1, size=7, **attributes):
    x = image(1, channels, *[size] * len(kernel), mean=0.0, sd=1.0)
    weights = {"w": image(filters, channels // group, *kernel, mean=0.0, sd=1.0)}
    model = graph(
        [node("Conv", "x w", "y", group=group, **attributes)], {"x": x}, weights, outputs={"y": None}, opset=18,
        ir_version=8, initializers_are_inputs=False,
    )  # fmt: skip
    return model, x


FAULTY = {
    "speech": conv(129, 128, 3, size=20, pads=[1, 1]),
    "image": conv(9, 8, 3, 3),
    "strided": conv(6, 4, 1, 1, strides=[2, 2]),
    "groups of five": conv(4, 10, 3, 3, group=2),
    "groups of six": conv(4, 12, 3, group=2),
}
RIGHT = {
    "three channels": conv(3, 8, 3, 3),
    "twelve channels": conv(12, 8, 3, 3),
    "filters by two": conv(9, 6, 3, 3),
    "kernel of one": conv(9, 8, 1, 1),
    "groups of three": conv(4, 6, 3, 3, group=2),
    "groups of eight": conv(4, 16, 3, group=2),
}


@pytest.mark.parametrize("name", FAULTY)
def test_a_conv_that_is_wrong_by_itself_and_right_when_lowered(name):
    model, x = FAULTY[name]
    assert error_of(model, x) > WRONG
    assert not targets.check(model, TARGET)
    lowered = lower(model, TARGET)
    assert lowered, str(lowered)
    assert error_of(model, x, lowered.model) < GPU_ERROR


@pytest.mark.parametrize("name", RIGHT)
def test_a_conv_beside_them_is_right(name):
    model, x = RIGHT[name]
    assert targets.check(model, TARGET)
    assert error_of(model, x) < GPU_ERROR
