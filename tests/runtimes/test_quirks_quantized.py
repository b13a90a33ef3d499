"""Faults of OpenCV in quantized networks, and in Resize of opset 10: each refused, and right in a model beside it."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, helper

from fns_lab import models, targets
from fns_lab.errors import RuntimeFault
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import graph, worst_error
from tests.runtimes.one_node import OPENCV, OPENVINO, ORT, TRACT, one, x

STEP = 0.05
"""Scale of the results: two engines may round to neighbours."""


def quantized(op, *, again=True, constant=None, **attributes):
    """An op of a dequantized image, whose result is quantized again unless told otherwise."""
    steps = {"s": np.float32(0.02), "t": np.float32(STEP), "z": np.uint8(100)}
    constants = steps | ({} if constant is None else {"c": constant.astype(np.int8), "n": np.int8(0)})
    nodes = [helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"]), dequantize("q", "s", "z", "d")]
    nodes += [] if constant is None else [dequantize("c", "s", "n", "e")]
    nodes += [helper.make_node(op, ["d"] if constant is None else ["d", "e"], ["m"], **attributes)]
    nodes += (
        [helper.make_node("QuantizeLinear", ["m", "t", "z"], ["p"]), dequantize("p", "t", "z", "y")] if again else []
    )
    feeds = {"x": np.random.default_rng(3).uniform(-2, 2, (2, 3, 7, 9)).astype(np.float32)}
    output = "y" if again else "m"
    model = graph(
        nodes, feeds, constants, outputs={output: None}, opset=13, ir_version=8, initializers_are_inputs=False
    )
    return models.infer_shapes(model), feeds


def dequantize(x, scale, zero, y):
    return helper.make_node("DequantizeLinear", [x, scale, zero], [y])


def resized(opset, *scales, mode):
    inputs = "x,s" if opset == 10 else "x,,s"
    exact = {} if opset == 10 else {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    scales = {"s": np.array([1, 1, *scales], np.float32)}
    return one("Resize", {"x": x(1, 2, 5, 7)}, scales, inputs=inputs, opset=opset, mode=mode, **exact)


KERNEL = np.random.default_rng(4).integers(-100, 100, (4, 3, 1, 1))
CASES = {
    (OPENCV, "Conv"): (quantized("Conv", constant=KERNEL), quantized("Conv", constant=KERNEL, again=False)),
    (OPENCV, "Add"): (
        quantized("Add", constant=np.array([[[50]], [[70]], [[-90]]])),
        quantized("Add", constant=np.array([[[50]], [[70]], [[-90]]]), again=False),
    ),
    (OPENCV, "MaxPool"): (
        quantized("MaxPool", kernel_shape=[2, 2], again=False), quantized("MaxPool", kernel_shape=[2, 2])
    ),
    (OPENCV, "Resize"): (resized(10, 2, 2, mode="linear"), resized(13, 2, 2, mode="linear")),
    (TRACT, "Resize"): (resized(10, 3, 2, mode="nearest"), resized(13, 2, 2, mode="nearest")),
}  # fmt: skip
"""By target and op: a model that it gets wrong or fails on, and one beside it that is right; each with its feeds."""


BY_PROCESSOR = {(OPENCV, "Conv")}
"""Cases that are right where the processor multiplies int8 without rounding sums of two to int16, as one with VNNI."""


def is_right(model: ModelProto, feeds, target) -> bool:
    with open_runner(model, ORT) as runner:
        expected = runner.infer(feeds)
    try:
        with open_runner(model, target) as runner:
            actual = runner.infer(feeds)
    except RuntimeFault:
        return False
    size = max(float(np.abs(array).max()) for array in expected.values())
    return all(worst_error(actual[name], expected[name]) < 1.1 * STEP / max(1.0, size) for name in expected)


@pytest.mark.parametrize(("target", "op"), CASES)
def test_a_fault_is_refused_and_the_model_beside_it_is_right(target, op):
    (faulty, its_feeds), (right, feeds) = CASES[target, op]
    assert is_right(right, feeds, target) and targets.check(right, targets.load(target))
    assert not is_right(faulty, its_feeds, target) or (target, op) in BY_PROCESSOR
    assert not targets.check(faulty, targets.load(target))


@pytest.mark.parametrize("name", [OPENCV, OPENVINO])
def test_ties_of_a_quantization_are_left_open(name):
    """With an odd zero point: 5.5 rounds to 6 and is 9 then, while 8.5 rounds to 8."""
    model, feeds = one("QuantizeLinear", {"x": np.float32([5.5, 5.4])}, {"s": np.float32(1), "z": np.uint8(3)})
    assert targets.check(model, targets.load(name)).undefined_values["QuantizeLinear"] == ["halves"]
    with open_runner(model, name) as engine, open_runner(model, ORT) as runtime:
        assert (engine.infer(feeds)["y0"].tolist(), runtime.infer(feeds)["y0"].tolist()) == ([8, 8], [9, 8])
