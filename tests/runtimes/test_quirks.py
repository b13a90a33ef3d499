"""The faults that targets name, shown in the real engines: each beside a similar node, version or graph that is right.

A test that fails here because the engine got better says that the quirk, and the rule that avoids it, may go.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.targets import check
from tests import seeds
from tests.runtimes.graphs import FLOAT32_ERROR, graph, image, node, relu, worst_error

pytestmark = pytest.mark.browser

X = image(1, 4, 6, 10)
N, C, H, W = X.shape
HEADLESS = (
    "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/156.0.0.0 Safari/537.36"
)
GPU_ERROR = 1e-3
"""The same where a GPU may approximate: SwiftShader's sine is 1.2e-4 off."""
WRONG = 0.05
"""Relative error above which an engine is wrong rather than inaccurate."""


def error_of(model, target, feeds=None) -> float:
    """Worst error of `target` over all outputs, against ONNX Runtime."""
    feeds = feeds or {"x": X}
    with open_runner(model, "ort/cpu") as runner:
        expected = runner.infer(feeds)
    with open_runner(model, target) as runner:
        actual = runner.infer(feeds)
    return max(worst_error(actual[name], expected[name]) for name in expected)


@pytest.mark.parametrize(("version", "right"), [("0.1.3", False), ("0.1.4", False), ("0.1.8", True)])
def test_headless_user_agent_turns_webgl_wrong(version, right):
    target = targets.load(f"onnxjs-{version}/webgl")
    headless = dataclasses.replace(target, settings={**target.settings, "user_agent": HEADLESS})
    if right:
        assert error_of(relu(X), headless) < FLOAT32_ERROR
    else:
        with pytest.raises(RuntimeFault, match="computes wrong numbers in this browser: Relu of .*HeadlessChrome"):
            open_runner(relu(X), headless)
    assert error_of(relu(X), target) < FLOAT32_ERROR


@pytest.mark.parametrize("backend", ["cpu", "wasm", "webgl"])
@pytest.mark.parametrize("op", ["Mul", "Add"])
def test_issue_53_a_computed_value_twice_among_the_inputs(op, backend):
    twice = graph([node("Relu", "x", "r"), node(op, "r r", "y")], {"x": X}, outputs={"y": X.shape})
    with pytest.raises(RuntimeFault, match="already has value"):
        error_of(twice, f"onnxjs-0.1.3/{backend}")
    graph_input_twice = graph([node(op, "x x", "y")], {"x": X}, outputs={"y": X.shape})
    assert error_of(graph_input_twice, f"onnxjs-0.1.3/{backend}") < FLOAT32_ERROR
    assert error_of(twice, f"onnxjs-0.1.4/{backend}") < FLOAT32_ERROR


@pytest.mark.parametrize(("size", "right"), [((24, 32), True), ((48, 64), False), ((1, 2048), False)])
def test_issue_102_instance_normalization_out_of_bounds(size, right):
    x = image(1, 2, *size)
    weights = {"scale": np.array([1.5, -0.5], np.float32), "bias": np.array([0.0, 3.0], np.float32)}
    model = graph([node("InstanceNormalization", "x scale bias", "y")], {"x": x}, weights, outputs={"y": x.shape})
    if right:
        assert error_of(model, "onnxjs-0.1.4/wasm", {"x": x}) < FLOAT32_ERROR
    else:
        with pytest.raises(RuntimeFault, match="memory access out of bounds"):
            error_of(model, "onnxjs-0.1.4/wasm", {"x": x})
    assert error_of(model, "onnxjs-0.1.4/cpu", {"x": x}) < FLOAT32_ERROR
    assert error_of(model, "onnxjs-0.1.8/wasm", {"x": x}) < FLOAT32_ERROR


def test_reshaped_and_shared_value_is_wrong_in_webgl():
    """The other reader of a reshaped value gets wrong numbers; a Reshape whose input no other node reads is right."""
    shape = {"shape": np.array([N, C, 1, H * W])}
    reduced = [node("Reshape", "x shape", "flat"), node("ReduceMean", "flat", "mean", axes=[3])]
    shared = graph([*reduced, node("Sub", "x mean", "y")], {"x": X}, shape, outputs={"y": X.shape})
    alone = graph([*reduced, node("Sub", "flat mean", "y")], {"x": X}, shape, outputs={"y": (N, C, 1, H * W)})
    assert error_of(shared, "onnxjs-0.1.8/webgl") > WRONG
    assert error_of(alone, "onnxjs-0.1.8/webgl") < FLOAT32_ERROR
    assert error_of(shared, "onnxjs-0.1.8/cpu") < FLOAT32_ERROR
    assert error_of(shared, "onnxjs-0.1.3/webgl") < FLOAT32_ERROR


RESHAPES_BY_OTHER_NAMES = {
    "Flatten": [node("Flatten", "x", "flat", axis=1), node("ReduceMean", "flat", "mean", axes=[1])],
    "Squeeze": [node("Squeeze", "x", "flat", axes=[0]), node("ReduceMean", "flat", "mean", axes=[1, 2])],
    "Unsqueeze": [
        node("Unsqueeze", "x", "flat", axes=[4]),
        node("ReduceMean", "flat", "mean", axes=[2, 3], keepdims=0),
    ],
}


@pytest.mark.parametrize("op", RESHAPES_BY_OTHER_NAMES)
def test_shared_values_fail_with_every_kind_of_reshape(op):
    """Here the shader of the other reader does not even compile; a copy before the reshape fixes it."""
    nodes = [*RESHAPES_BY_OTHER_NAMES[op], node("Sub", "x mean4", "y")]
    sizes = np.array([1, 1 if op == "Flatten" else C, 1, 1])
    nodes.insert(2, node("Reshape", "mean sizes", "mean4"))
    shared = graph(nodes, {"x": X}, {"sizes": sizes}, outputs={"y": X.shape})
    with pytest.raises(RuntimeFault, match="Failed to compile shader"):
        error_of(shared, "onnxjs-0.1.8/webgl")
    assert error_of(shared, "onnxjs-0.1.8/cpu") < FLOAT32_ERROR
    fixed = lower(shared, targets.load("onnxjs-0.1.8/webgl"))
    assert list(fixed.applied.rule) == ["copy-before-shared-reshape"]
    assert error_of(fixed.model, "onnxjs-0.1.8/webgl") < FLOAT32_ERROR


AFTER_RESHAPE = {
    **{op: node(op, "r", "y") for op in ("Relu", "Atan", "Ceil", "Cos", "Floor", "Sin", "Tan")},
    "Softmax": node("Softmax", "r", "y", axis=3),
    "LeakyRelu": node("LeakyRelu", "r", "y"),
    "Elu": node("Elu", "r", "y"),
    "Sigmoid": node("Sigmoid", "r", "y"),
    "Clip": node("Clip", "r", "y", min=0.0, max=0.9),
    "Pad": node("Pad", "r", "y", mode="reflect", pads=[0, 0, 1, 2, 0, 0, 1, 2]),
    "Upsample": node("Upsample", "r", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0]),
}


@pytest.mark.parametrize("op", AFTER_RESHAPE)
def test_reshape_then_this_op_is_wrong_in_ort_web_webgl(op):
    """Right again with an Add between the two, and in ONNX.js."""
    x = image(*X.shape, mean=0.5, sd=1.0)
    shape = (N, 2, 10, 12)
    output_shape = {"Pad": (N, 2, 12, 16), "Upsample": (N, 2, 20, 24)}.get(op, shape)
    constants = {"shape": np.array(shape)}
    direct = graph(
        [node("Reshape", "x shape", "r"), AFTER_RESHAPE[op]], {"x": x}, constants, outputs={"y": output_shape}
    )
    with_add = graph(
        [node("Reshape", "x shape", "q"), node("Add", "q zero", "r"), AFTER_RESHAPE[op]],
        {"x": x},
        constants | {"zero": np.zeros(1, np.float32)},
        outputs={"y": output_shape},
    )
    assert error_of(direct, "ort-web/webgl", {"x": x}) > WRONG
    assert error_of(with_add, "ort-web/webgl", {"x": x}) < GPU_ERROR
    assert error_of(direct, "onnxjs-0.1.8/webgl", {"x": x}) < GPU_ERROR


@pytest.mark.parametrize("scales", [(1, 1, 2, 2), (1, 1, 3, 2)])
def test_nearest_resize_fails_in_ort_web_webgl(scales):
    constants = {"scales": np.array(scales, np.float32)}
    outputs = {"y": (N, C, H * scales[2], W * scales[3])}
    model = graph([node("Resize", "x scales", "y", mode="nearest")], {"x": X}, constants, outputs=outputs, opset=10)
    with pytest.raises(RuntimeFault, match="Resize|scales|resize"):
        error_of(model, "ort-web/webgl")
    assert error_of(model, "ort-web/wasm") < FLOAT32_ERROR


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/cpu", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
def test_reductions_take_their_axes_from_the_attribute_alone(target):
    outputs = {"y": (N, C, 1, 1)}
    by_attribute = graph([node("ReduceMean", "x", "y", axes=[2, 3])], {"x": X}, outputs=outputs)
    by_input = graph([node("ReduceMean", "x a", "y")], {"x": X}, {"a": np.array([2, 3])}, outputs=outputs, opset=18)
    assert error_of(by_attribute, target) < FLOAT32_ERROR
    with pytest.raises(RuntimeFault, match="invalid inputs detected|requires 1 input"):
        error_of(by_input, target)


ONE = {"one": np.ones(1, np.float32)}


@pytest.mark.parametrize("backend", ["cpu", "wasm", "webgl"])
@pytest.mark.parametrize("version", ["0.1.3", "0.1.4"])
def test_what_the_old_versions_ask_of_a_file(version, backend):
    target = f"onnxjs-{version}/{backend}"
    nodes, outputs = [node("Add", "x one", "y")], {"y": X.shape}
    assert error_of(graph(nodes, {"x": X}, ONE, outputs=outputs), target) < FLOAT32_ERROR
    with pytest.raises(RuntimeFault, match="invalid name for initializer: one"):
        open_runner(graph(nodes, {"x": X}, ONE, outputs=outputs, initializers_are_inputs=False), target)
    with pytest.raises(RuntimeFault, match="only support ONNX model with IR_VERSION=3"):
        open_runner(graph(nodes, {"x": X}, ONE, outputs=outputs, ir_version=4), target)


@pytest.mark.parametrize("backend", ["cpu", "wasm", "webgl"])
def test_0_1_8_takes_newer_files(backend):
    model = graph(
        [node("Add", "x one", "y")], {"x": X}, ONE, outputs={"y": X.shape}, ir_version=4, initializers_are_inputs=False
    )
    assert error_of(model, f"onnxjs-0.1.8/{backend}") < FLOAT32_ERROR


def weights(*shape: int) -> np.ndarray:
    return seeds.generator().normal(0.5, 1.0, shape).astype(np.float32)


ALL, OLD = ("0.1.3", "0.1.4", "0.1.8"), ("0.1.3", "0.1.4")
SMALL = image(1, 4, 7, 9, mean=0.5, sd=1.0)
ONE_OP = {
    "pads-that-cut": (
        node("Pad", "x", "y", pads=[0, 0, -1, 0, 0, 0, 0, -2]), {}, SMALL, (1, 4, 6, 7), ("0.1.8",), ("cpu", "wasm")
    ),
    "same-padding": (
        node("Conv", "x w", "y", auto_pad="SAME_UPPER", strides=[2, 2]), {"w": weights(3, 4, 3, 2)}, SMALL[:, :, :6],
        (1, 3, 3, 5), ALL, ("cpu", "wasm", "webgl"),
    ),
    "batched-lrn": (
        node("LRN", "x", "y", size=3, alpha=0.5), {}, np.concatenate([SMALL, SMALL + 1]), (2, 4, 7, 9), ALL,
        ("cpu", "wasm"),
    ),
    "softmax-of-low-values": (
        node("Softmax", "x", "y", axis=1), {}, SMALL[0, 0] - 200, SMALL[0, 0].shape, ALL, ("cpu",)
    ),
    "batched-convolution": (
        node("Conv", "x w", "y"), {"w": weights(2, 4, 3, 3)}, np.concatenate([SMALL, SMALL + 1]), (2, 2, 5, 7),
        ("0.1.8",), ("cpu",),
    ),
    "grouped-convolution": (
        node("Conv", "x w", "y", group=2), {"w": weights(4, 2, 3, 3)}, SMALL, (1, 4, 5, 7), ALL, ("webgl",)
    ),
    "filters-per-group": (
        node("Conv", "x w", "y", group=2), {"w": weights(4, 1, 3, 3)}, SMALL[:, :2], (1, 4, 5, 7), ALL, ("webgl",)
    ),
    "depthwise-convolution": (
        node("Conv", "x w", "y", group=4), {"w": weights(4, 1, 3, 3)}, SMALL, (1, 4, 5, 7), OLD, ("cpu", "webgl")
    ),
    "dilated-convolution": (
        node("Conv", "x w", "y", dilations=[2, 2]), {"w": weights(2, 4, 2, 3)}, SMALL, (1, 2, 5, 5), OLD, ("wasm",)
    ),
    "negative-indices": (
        node("Gather", "x i", "y", axis=2), {"i": np.array([-1, 0])}, SMALL, (1, 4, 2, 9), OLD, ("cpu", "wasm", "webgl")
    ),
    "power-of-negatives": (
        node("Pow", "x e", "y"), {"e": np.array([3], np.float32)}, SMALL, SMALL.shape, ALL, ("webgl",)
    ),
    "index-without-axes": (
        node("Gather", "x i", "y", axis=2), {"i": np.array(3)}, SMALL, (1, 4, 9), ALL, ("webgl",)
    ),
    "whole-scales": (
        node("Upsample", "x", "y", scales=[1.0, 1.0, 1.5, 2.0]), {}, SMALL, (1, 4, 10, 18), ("0.1.8",), ("webgl",)
    ),
    "whole-scales-linear": (
        node("Upsample", "x", "y", mode="linear", scales=[1.0, 1.0, 1.5, 2.0]), {}, SMALL, (1, 4, 10, 18), ("0.1.8",),
        ("webgl",),
    ),
    "cropped-to-shape": (
        node("ConvTranspose", "x w", "y", strides=[2, 2], output_shape=[13, 17]), {"w": weights(4, 2, 3, 3)}, SMALL,
        (1, 2, 13, 17), (), (),
    ),
    "enlarged-same": (
        node("ConvTranspose", "x w", "y", strides=[4, 4], auto_pad="SAME_UPPER"), {"w": weights(4, 2, 3, 3)}, SMALL,
        (1, 2, 27, 35), (), (),
    ),
}  # fmt: skip
"""By fault: the node, its constants, its input, the size of its output, and the versions and backends that have it."""
FAULTY = [(name, f"onnxjs-{v}/{b}") for name, case in ONE_OP.items() for v in case[4] for b in case[5]]
WEB_FAULTS = ("batched-lrn", "cropped-to-shape", "enlarged-same", "power-of-negatives", "whole-scales")
FAULTY += [(name, "ort-web/webgl") for name in WEB_FAULTS]


def is_right(model, target, x) -> bool:
    try:
        return error_of(model, target, {"x": x}) < FLOAT32_ERROR
    except RuntimeFault:
        return False


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("name", "target"), FAULTY)
def test_an_op_that_is_wrong_by_itself_and_right_when_lowered(name, target):
    op, constants, x, output_shape, _, _ = ONE_OP[name]
    model = graph([op], {"x": x}, constants, outputs={"y": output_shape})
    assert not targets.check(model, targets.load(target))
    assert not is_right(model, target, x)
    lowered = lower(model, targets.load(target))
    assert lowered, lowered.refused.to_string()
    with open_runner(model, "ort/cpu") as runner:
        expected = runner.infer({"x": x})["y"]
    with open_runner(lowered.model, target) as runner:
        assert worst_error(runner.infer({"x": x})["y"], expected) < FLOAT32_ERROR


WRONG_RANK = {
    "Conv": (node("Conv", "x w", "y"), {"w": weights(2, 7, 3)}, SMALL[0], (4, 2, 7)),
    "BatchNormalization": (
        node("BatchNormalization", "x g b m v", "y"), {k: np.abs(weights(9)) for k in "gbmv"}, SMALL[0, 0], (7, 9)
    ),
    "Abs": (node("Abs", "x", "y"), {}, SMALL[None, None, None], (1, 1, 1, *SMALL.shape)),
    "InstanceNormalization": (
        node("InstanceNormalization", "x g b", "y"), {k: weights(7) for k in "gb"}, SMALL[0], SMALL[0].shape
    ),
}  # fmt: skip


@pytest.mark.sampled(5)
@pytest.mark.parametrize("target", ["onnxjs-0.1.4/cpu", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
@pytest.mark.parametrize("op", WRONG_RANK)
def test_a_number_of_axes_that_an_engine_does_not_take(op, target):
    only, constants, x, output_shape = WRONG_RANK[op]
    model = graph([only], {"x": x}, constants, outputs={"y": output_shape})
    touched = not targets.check(model, targets.load(target))
    assert touched is not is_right(model, target, x)
    assert touched or lower(model, targets.load(target))


@pytest.mark.sampled(5)
@pytest.mark.parametrize("op", ["Add", "Div", "Mul", "PRelu", "Pow", "Sub", "Sum"])
@pytest.mark.parametrize("after", ["Reshape", "Flatten"])
def test_two_values_of_one_shape_after_a_reshape_are_wrong_in_ort_web_webgl(after, op):
    """Right again with a copy between, which `lower` adds, and where one of the two is broadcast."""
    x, target = image(*X.shape, mean=2.0, sd=0.2), targets.load("ort-web/webgl")
    shape = (N, 2, 10, 12) if after == "Reshape" else (N, C * H * W)
    first = node("Reshape", "x shape", "r") if after == "Reshape" else node("Flatten", "x", "r", axis=1)

    def joined_with(other):
        constants = {"shape": np.array(shape), "other": other}
        return graph([first, node(op, "r other", "y")], {"x": x}, constants, outputs={"y": shape})

    alike = joined_with(image(*shape, mean=1.5, sd=0.2))
    assert error_of(alike, target, {"x": x}) > WRONG
    assert "of two values of one shape straight after Reshape, Flatten, DepthToSpace" in "".join(
        check(alike, target).table.reason
    )
    assert error_of(lower(alike, target).model, target, {"x": x}) < FLOAT32_ERROR
    if op != "Sum":  # which broadcasts nothing at opset 7
        assert error_of(joined_with(np.full(1, 1.5, np.float32)), target, {"x": x}) < FLOAT32_ERROR


@pytest.mark.parametrize("target", ["onnxjs-0.1.8/webgl", "ort-web/webgl"])
@pytest.mark.parametrize(("op", "inputs"), [("Add", "x q"), ("Sub", "q x"), ("PRelu", "x q"), ("Mul", "q q")])
def test_a_scalar_straight_after_squeeze_cannot_be_broadcast(op, inputs, target):
    """Right again with a copy between, which `lower` adds, and where the other value is a scalar too."""
    feeds = {"x": X - 50, "s": np.array([1.5], np.float32)}
    shape, target = () if inputs == "q q" else X.shape, targets.load(target)
    model = graph([node("Squeeze", "s", "q", axes=[0]), node(op, inputs, "y")], feeds, outputs={"y": shape})
    assert bool(check(model, target)) is (shape == ())
    if shape:
        with pytest.raises(RuntimeFault, match="'undefined' : undeclared identifier"):
            error_of(model, target, feeds)
    assert error_of(lower(model, target).model, target, feeds) < FLOAT32_ERROR


WEBGL = ("onnxjs-0.1.3/webgl", "onnxjs-0.1.4/webgl", "onnxjs-0.1.8/webgl", "ort-web/webgl")


@pytest.mark.parametrize("name", WEBGL)
@pytest.mark.parametrize(("shape", "right"), [((1, 3, 7, 5), False), ((2, 3, 7, 1), False), ((1, 3, 7, 4), True)])
def test_reflection_along_axes_of_size_one(name, shape, right):
    target, x, padded = targets.load(name), image(*shape), (*shape[:2], shape[2] + 1, shape[3])
    pad = node("Pad", "x", "y", mode="reflect", pads=[0, 0, 1, 0, 0, 0, 0, 0])
    model = graph([pad], {"x": x}, outputs={"y": padded})
    assert (error_of(model, target, {"x": x}) < FLOAT32_ERROR) is right
    assert bool(check(model, target)) is right
    assert error_of(lower(model, target).model, target, {"x": x}) < FLOAT32_ERROR
