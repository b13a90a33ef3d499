"""Faults of OpenVINO that a sweep found, each refused, beside a node that is right."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import helper

from fns_lab import models, targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import graph, node
from tests.runtimes.one_node import OPENVINO, ints, is_right, one, x

NUMBER = np.array(0.5, np.float32)
NEAR_ZERO = x(2, 64) * np.float32(1e-7)


def shifted(*shape):
    number = np.full(shape, 3, np.uint8)
    return one("BitShift", {"x": number}, {"n": number}, direction="RIGHT")


def doubled():
    return {"s": np.array([1, 1, 2, 2], np.float32)}


def coded(opset):
    constants = {"d": np.array(5), "v": np.array([0.0, 1.0], np.float32)}
    return one("OneHot", {"i": ints(-7, -1, 0, 3, 4, 1)}, constants, opset=opset)


def spectrum(axis, dtype=np.float32):
    return one("DFT", {"x": x(2, 6, 5, 1).astype(dtype)}, opset=17, axis=axis)


def aligned(mode):
    regions = {"r": np.array([[0.5, 1, 6, 4.5]], np.float32), "i": ints(0)}
    sizes = {"output_height": 2, "output_width": 3, "sampling_ratio": 2}
    return one("RoiAlign", {"x": x(1, 2, 5, 7)} | regions, opset=16, mode=mode, **sizes)


def scaled_by(other):
    """What a GroupNormalization gives, times a function of its input or of its result."""
    nodes = [
        node("GroupNormalization", "x s b", "g", num_groups=2), node("Sigmoid", other, "n"), node("Mul", "g n", "y")
    ]  # fmt: skip
    feeds, constants = {"x": x(1, 4, 5, 6)}, {"s": x(4), "b": x(4)}
    model = graph(
        nodes, feeds, constants, outputs={"y": (1, 4, 5, 6)}, opset=21, ir_version=10, initializers_are_inputs=False
    )
    return models.infer_shapes(model), feeds


def least(opset):
    return one("ReduceMin", {"x": np.arange(6, dtype=np.int8).reshape(2, 3)}, opset=opset)


def touching(inputs, overlap=None, *, fed=True):
    """Two boxes that share an edge, fed or constant, of which all with a score above 0.3 are taken."""
    limits = {"m": ints(3), "t": np.float32([0.3])} | ({} if overlap is None else {"o": np.float32([overlap])})
    boxes = {"b": np.array([[[0, 0, 1, 1], [0, 1, 1, 2]]], np.float32), "s": np.array([[[0.9, 0.8]]], np.float32)}
    return one("NonMaxSuppression", boxes if fed else {}, limits if fed else boxes | limits, inputs=inputs)


def bordered(value):
    return one("Pad", {"x": x(1, 1, 5, 7)}, opset=7, pads=[0, 0, 1, 1] * 2, value=value, mode="constant")


def unsorted(flag):
    return one("Unique", {"x": np.array([3, 1, 3, 2, 1, 0], np.float32)}, opset=11, sorted=flag)


def distinct(axis):
    """A Unique along an axis of a matrix of which some slices are equal."""
    slices = np.array([[0, 1, 1, 0, 0, 1, 0, 1, 0], [0, 0, 1, 1, 0, 1, 1, 0, 0]], np.float32)
    return one("Unique", {"x": slices if axis else slices.T.copy()}, opset=11, axis=axis)


def indexed(storage_order):
    pooled = {"kernel_shape": [2, 2], "storage_order": storage_order}
    return one("MaxPool", {"x": x(1, 2, 4, 6)}, outputs=2, opset=12, **pooled)


def shifted_bits(dtype, direction):
    numbers = {"x": np.array([1, 3, np.iinfo(dtype).max], dtype)}
    return one("BitShift", numbers, {"n": np.array(2, dtype)}, direction=direction)


def summed(op, dtype):
    """A sum, difference or product of numbers that int8 holds and whose result it does not."""
    return one(op, {"x": np.array([100, -100, 3], dtype)}, {"k": np.array([-100, 100, 2], dtype)}, opset=14)


def multiplied():
    """A product of int32 that is 1, and 0 in float32, which rounds the first number."""
    return one("MatMul", {"x": np.array([[(1 << 24) + 1, -1 << 24]], np.int32)}, {"w": np.ones((2, 1), np.int32)})


def half_pixels(coordinates):
    scales = {"s": np.float32([1, 1, 2, 1.5])}
    return one(
        "Resize", {"x": x(1, 2, 5, 6)}, scales, inputs="x,,s", opset=19, mode="linear",
        coordinate_transformation_mode=coordinates,
    )  # fmt: skip


def squared(dtype, scale):
    return one("ReduceL2", {"x": (x(2, 3) * scale).astype(dtype)}, axes=[1])


def windows(**attributes):
    """Windows of two along seven columns, the last of which has one."""
    return one("LpPool", {"x": x(1, 2, 5, 7)}, opset=22, kernel_shape=[2, 2], strides=[2, 2], **attributes)


def limited(fed):
    """A Clip of one constant element to a limit that is fed, or of a fed one to a constant limit."""
    given = {"x": x(1), "l": np.float32(0)}
    feeds = {name: given.pop(name) for name in ("l" if fed else "x")}
    return one("Clip", feeds, given, inputs="x,l")


def cubic(exclude_outside):
    scales = {"s": np.float32([1, 1, 2, 1.5])}
    attributes = {"mode": "cubic", "exclude_outside": exclude_outside}
    return one("Resize", {"x": x(1, 2, 5, 6)}, scales, inputs="x,,s", opset=18, **attributes)


def trained(dtype):
    """A BatchNormalization of two constants, next to each other in float16, between which the mean lies."""
    ones = {name: np.ones(1, dtype) for name in "sbmv"}
    inputs = {"x": np.array([[301], [301.25]], dtype)}
    return one("BatchNormalization", ones, inputs, inputs="x,s,b,m,v", outputs=3, opset=15, training_mode=1)


def constant_row(mode):
    constants = {"x": x(1, 2, 5), "s": np.float32([2])}
    return one("Resize", {}, constants, inputs="x,,s", opset=18, mode=mode, axes=[2])


def divided(dtype):
    return one("Div", {}, {"x": np.array([7, 3], dtype), "d": np.array([2, 2], dtype)}, opset=14)


def enlarged(columns):
    """A Resize of seven columns, of which a coordinate lies between two if nothing is rounded."""
    attributes = {"coordinate_transformation_mode": "asymmetric", "nearest_mode": "round_prefer_ceil"}
    return one("Resize", {"x": x(1, 2, 5, 7)}, {"n": ints(1, 2, 5, columns)}, inputs="x,,,n", opset=19, **attributes)


def remainder(dtype):
    thirds = np.arange(1, 40, dtype=np.float32) * np.float32(0.1)
    return one("Mod", {"x": thirds.astype(dtype)}, {"d": np.array(0.1, dtype)}, fmod=1)


def remembered(*present):
    """An Attention that gives out these of the present keys and values."""
    attention = node("Attention", "q k v", " ".join(["y", *present]))
    feeds = {name: x(1, 2, 3, 4) for name in "qkv"}
    outputs = dict.fromkeys(["y", *present], (1, 2, 3, 4))
    return models.infer_shapes(graph([attention], feeds, outputs=outputs, opset=23, ir_version=10)), feeds


def scanned(read):
    """A Scan over rows whose body adds to each itself or an outer row."""
    rows = [helper.make_tensor_value_info(name, 1, (3,)) for name in "rt"]
    body = helper.make_graph([node("Add", f"r {read}", "t")], "body", rows[:1], rows[1:])
    scan = helper.make_node("Scan", ["x"], ["y"], body=body, num_scan_inputs=1)
    feeds = {"x": x(4, 3), "w": x(3)}
    model = graph([node("Relu", "w", "o"), scan], feeds, outputs={"y": (4, 3)}, opset=21, ir_version=10)
    return models.infer_shapes(model), feeds


def columns(*block):
    sizes, count = {"i": ints(*(2 * size for size in block)), "b": ints(*block)}, int(np.prod(block))
    strides = list(block)
    return one("Col2Im", {"x": x(1, 2 * count, 2 ** len(block))}, sizes, opset=18, strides=strides)


CASES = {
    "present without past": (remembered("k2", "v2"), remembered()),
    "outer values": (scanned("o"), scanned("r")),
    "volumes of columns": (columns(2, 2, 2), columns(2, 2)),
    "divided bytes": (divided(np.int8), divided(np.uint32)),
    "pixels between two": (enlarged(4), enlarged(14)),
    "multiples": (remainder(np.float32), remainder(np.float16)),
    "division of constants": (divided(np.uint8), divided(np.uint32)),
    "a constant row": (constant_row("linear"), constant_row("nearest")),
    "pixels outside": (cubic(1), cubic(0)),
    "mean of constants": (trained(np.float16), trained(np.float32)),
    "empty constants": (one("Abs", {}, {"x": x(0, 3)}), one("Abs", {}, {"x": x(1, 3)})),
    "fed limits": (limited(1), limited(0)),
    "empty Clip": (
        one("Clip", {"h": np.float32(1)}, {"x": x(0, 3), "l": np.float32(0)}, inputs="x,l,h"),
        one("Clip", {"h": np.float32(1)}, {"x": x(1, 3), "l": np.float32(0)}, inputs="x,l,h"),
    ),
    "constant boxes": (touching("b,s,m,o,t", 0.5, fed=False), touching("b,s,m,o,t", 0.5)),
    "windows over the end": (windows(ceil_mode=1), windows()),
    "squares of float64": (squared(np.float64, 1e20), squared(np.float32, 1)),
    "symmetric coordinates": (half_pixels("half_pixel_symmetric"), half_pixels("half_pixel")),
    "GroupNormalization": (scaled_by("x"), scaled_by("g")),
    "near zero": (one("LpNormalization", {"x": NEAR_ZERO}, axis=0), one("Softmax", {"x": NEAR_ZERO})),
    "scalar": (shifted(), shifted(1)),
    "axis from the end": (spectrum(-2), spectrum(2)),
    "axis of opset 20": (
        one("DFT", {"x": x(2, 6, 5, 1)}, opset=20), one("DFT", {"x": x(2, 6, 1)}, opset=20)
    ),
    "largest corner": (aligned("max"), aligned("avg")),
    "reduction of nothing": (
        one("ReduceL1", {"x": x(3, 4)}, opset=18, noop_with_empty_axes=1), one("ReduceL1", {"x": x(3, 4)}, opset=18)
    ),
    "frames without a length": (
        one("STFT", {"x": x(1, 64, 1)}, {"s": np.array(4), "w": x(8)}, opset=17, onesided=1),
        one("STFT", {"x": x(1, 64, 1)}, {"s": np.array(4), "w": x(8), "n": np.array(8)}, opset=17, onesided=1),
    ),
    "ReduceMin of opset 12": (least(12), least(13)),
    "omitted overlap": (touching("b,s,m,,t"), touching("b,s,m,o,t", 0.5)),
    "overlap of zero": (touching("b,s,m,o,t", 0.0), touching("b,s,m,o,t", 0.01)),
    "infinite fill": (bordered(float("-inf")), bordered(1.5)),
    "empty Transpose": (
        one("Transpose", {}, {"x": x(0, 1, 3)}, perm=[1, 2, 0]), one("Transpose", {}, {"x": x(2, 1, 3)}, perm=[1, 2, 0])
    ),
    "equal columns": (distinct(1), distinct(0)),
    "empty CumSum": (
        one("CumSum", {"a": np.array(0)}, {"x": x(0, 3)}, inputs="x,a"),
        one("CumSum", {"a": np.array(0)}, {"x": x(2, 3)}, inputs="x,a"),
    ),
    "float64": (spectrum(1, np.float64), spectrum(1)),
    "empty Dropout": (one("Dropout", {}, {"x": x(0, 3)}, opset=13), one("Dropout", {}, {"x": x(1, 3)}, opset=13)),
    "empty Flatten": (one("Flatten", {"x": x(0, 3, 5)}, axis=2), one("Flatten", {"x": x(1, 3, 5)}, axis=2)),
    "Min of opset 7": (
        one("Min", {"x": NUMBER}, {"k": NUMBER + 1}, opset=7), one("Min", {"x": NUMBER}, {"k": NUMBER + 1}, opset=8)
    ),
    "Sum of opset 7": (
        one("Sum", {"x": x(1, 1)}, {"k": x(1, 1)}, opset=7), one("Sum", {"x": x(1, 2)}, {"k": x(1, 2)}, opset=7)
    ),
    "window in the padding": (
        one("MaxPool", {"x": x(1, 2, 5, 5)}, kernel_shape=[1, 1], strides=[3, 3], ceil_mode=1, opset=12),
        one("MaxPool", {"x": x(1, 2, 7, 7)}, kernel_shape=[1, 1], strides=[3, 3], ceil_mode=1, opset=12),
    ),
    "order of Unique": (unsorted(0), unsorted(1)),
    "indices by column": (indexed(1), indexed(0)),
    "bits shifted out": (shifted_bits(np.uint8, "LEFT"), shifted_bits(np.uint16, "LEFT")),
    "a difference beyond int8": (summed("Sub", np.int8), summed("Sub", np.int16)),
    "the least byte": (
        one("Neg", {"x": np.array([-128, 3], np.int8)}), one("Abs", {"x": np.array([128, 3], np.uint8)}, opset=13)
    ),
    "a product beyond int8": (summed("Mul", np.int8), summed("Mul", np.int16)),
    "a whole number beyond float32": (
        multiplied(), one("MatMul", {"x": x(1, 2)}, {"w": np.ones((2, 1), np.float32)})
    ),
    "integers between two": (
        one("Resize", {"x": np.uint8([[[[255, 254], [4, 8]]]])}, doubled(), inputs="x,,s", mode="linear"),
        one("Resize", {"x": np.uint8([[[[255, 254], [4, 8]]]])}, doubled(), inputs="x,,s", mode="nearest"),
    ),
    "rows of nothing": (
        one("LogSoftmax", {"x": x(0, 3)}, opset=11, axis=0), one("LogSoftmax", {"x": x(2, 3)}, opset=11, axis=0)
    ),
    "the first bit": (shifted_bits(np.uint32, "RIGHT"), shifted_bits(np.uint16, "RIGHT")),
    "OneHot of opset 9": (coded(9), coded(11)),
}  # fmt: skip
"""By fault: a model that OpenVINO gets wrong or fails on, and one beside it that is right; each with its feeds."""


@pytest.mark.sampled(5)
@pytest.mark.parametrize("fault", CASES)
def test_a_fault_is_known_to_check_and_the_node_beside_it_is_right(fault):
    target = targets.load(OPENVINO)
    (faulty, its_feeds), (right, feeds) = CASES[fault]
    assert is_right(right, feeds, OPENVINO)
    assert targets.check(right, target), targets.check(right, target).table.reason.to_list()
    assert not is_right(faulty, its_feeds, OPENVINO)
    assert not targets.check(faulty, target)


def test_three_constants_of_float64_that_are_added_are_known_to_get_no_answer():
    added, feeds = one("Sum", {}, {name: x(2).astype(np.float64) for name in "abc"})
    with pytest.raises(RuntimeFault, match="no answer"), open_runner(added, OPENVINO, timeout_s=3) as runner:
        runner.infer(feeds)
    target = targets.load(OPENVINO)
    assert not targets.check(added, target)
    assert targets.check(one("Sum", {}, {name: x(2) for name in "abc"})[0], target)
    lowered = lower(added, target)
    assert lowered and is_right(lowered.model, feeds, OPENVINO)


def test_a_normalization_beside_another_value_is_lowered_to_what_openvino_runs():
    model, feeds = scaled_by("x")
    lowered = lower(model, targets.load(OPENVINO))
    assert lowered, lowered.refused.to_string()
    assert is_right(lowered.model, feeds, OPENVINO)
