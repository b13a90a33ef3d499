"""Faults of the JavaScript engines in what a node states or leaves out: each refused, and right again if lowered."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from fns_lab.targets import check
from tests.runtimes.graphs import FLOAT32_ERROR, PIP_TARGETS, graph, image, node, relu, worst_error

pytestmark = pytest.mark.browser

X = image(2, 3, 4, 5, mean=0.5, sd=1.0)
MEAN = node("ReduceMean", "x", "y", axes=[-1])
ALL, OLD = ("0.1.3", "0.1.4", "0.1.8"), ("0.1.3", "0.1.4")
EVERY = ("cpu", "wasm", "webgl")
INT64_MAX = np.iinfo(np.int64).max


class Faulty(NamedTuple):
    node: NodeProto
    constants: dict[str, np.ndarray]
    output_shape: tuple[int, ...]
    versions: tuple[str, ...]
    backends: tuple[str, ...]
    opset: int = 7
    x: np.ndarray = X
    feeds: dict[str, np.ndarray] | None = None
    lowered: bool = True


CASES = {
    "omitted-input": Faulty(
        helper.make_node("Slice", ["x", "s", "e", "", "p"], ["y"]),
        {"s": np.array([1]), "e": np.array([2]), "p": np.array([1])}, (1, 3, 4, 5), ("0.1.8",), EVERY, 10,
    ),
    "beyond-int32": Faulty(
        node("Slice", "x s e", "y"), {"s": np.array([1]), "e": np.array([INT64_MAX])}, (1, 3, 4, 5), ("0.1.8",), EVERY,
        10,
    ),
    "limits-before-the-first": Faulty(
        node("Slice", "x", "y", starts=[-9], ends=[3], axes=[3]), {}, (2, 3, 4, 3), ALL, EVERY
    ),
    "concat-of-one": Faulty(node("Concat", "x", "y", axis=1), {}, X.shape, ALL, ("cpu", "wasm")),
    "axes-from-the-end": Faulty(MEAN, {}, (2, 3, 4, 1), OLD, EVERY),
    "squeezed-axis-from-the-end": Faulty(
        node("Squeeze", "x", "y", axes=[-1]), {}, (2, 3, 4), OLD, EVERY, x=X[..., :1]
    ),
    "unsqueezed-axis-from-the-end": Faulty(node("Unsqueeze", "x", "y", axes=[-1]), {}, (2, 3, 4, 5, 1), OLD, EVERY),
    "axis-from-the-end": Faulty(
        node("Gather", "x i", "y", axis=-1), {"i": np.array([0, 2])}, (2, 3, 4, 2), OLD, ("webgl",)
    ),
    "scalar-results": Faulty(node("ReduceSum", "x", "y", keepdims=0), {}, (), OLD, ("webgl",)),
    "scalar-results-of-transpose": Faulty(
        node("Transpose", "x", "y"), {}, (), ALL, ("webgl",), x=np.array(2.5, np.float32), lowered=False
    ),
    "computed-indices": Faulty(
        node("Gather", "x i", "y", axis=2), {}, (2, 3, 2, 5), OLD, ("cpu", "wasm"), feeds={"i": np.array([-1, 1])}
    ),
    "computed-indices-on-a-gpu": Faulty(
        node("Gather", "x i", "y", axis=2), {}, (2, 3, 2, 5), OLD, ("webgl",), feeds={"i": np.array([-1, 1])},
        lowered=False,
    ),
    "whole-slope": Faulty(node("LeakyRelu", "x", "y", alpha=2.0), {}, X.shape, OLD, ("webgl",), lowered=False),
    "six-axes": Faulty(
        node("Unsqueeze", "x", "y", axes=[0]), {}, (1, 1, 2, 1, 3, 4, 5), ALL, EVERY, x=X[None, :, None], lowered=False
    ),
    "images-scaled-linearly": Faulty(
        node("Upsample", "x", "y", mode="linear", scales=[1.0, 1.0, 2.0]), {}, (2, 3, 8), ("0.1.8",), EVERY, x=X[..., 0]
    ),
    "infinite-numbers": Faulty(
        node("Pad", "x", "y", pads=[0, 0, 0, 0, 0, 0, 0, 0], value=-np.inf), {}, X.shape, ALL, ("webgl",)
    ),
    "wrapped-padding": Faulty(
        node("Pad", "x", "y", mode="wrap", pads=[0, 0, 1, 0, 0, 0, 0, 2]), {}, (2, 3, 5, 7), ALL, ("webgl",)
    ),
    "wrapped-padding-on-a-cpu": Faulty(
        node("Pad", "x", "y", mode="wrap", pads=[0, 0, 1, 0, 0, 0, 0, 2]), {}, (2, 3, 5, 7), ("0.1.8",), ("cpu", "wasm")
    ),
    "fewer-limits": Faulty(node("Slice", "x", "y", starts=[1], ends=[2]), {}, (1, 3, 4, 5), ALL, ("webgl",)),
    "unread-end": Faulty(
        node("Conv", "x w", "y", strides=[2, 2], auto_pad="SAME_UPPER"), {"w": np.ones((4, 3, 1, 1), np.float32)},
        (2, 4, 2, 3), (), (),
    ),
    "equal-shapes": Faulty(
        node("Sum", "x b", "y"), {"b": np.ones((3, 1, 1), np.float32)}, X.shape, ("0.1.8",), EVERY, 8
    ),
    "windows-rounded-up": Faulty(
        node("AveragePool", "x", "y", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1), {}, (2, 3, 2, 3), ("0.1.8",),
        EVERY, 10,
    ),
    "stated-zero-factor": Faulty(
        node("Gemm", "x w c", "y", beta=0.0), {"w": np.ones((5, 3), np.float32), "c": np.ones(3, np.float32)}, (4, 3),
        (), (), x=X[0, 0], lowered=False,
    ),
    "computed-limits": Faulty(
        node("Slice", "x s e", "y"), {}, (1, 3, 4, 5), ("0.1.8",), ("webgl",), 10,
        feeds={"s": np.array([1]), "e": np.array([2])}, lowered=False,
    ),
    "computed-starts": Faulty(
        node("Slice", "x s e", "y"), {}, (1, 3, 4, 5), ("0.1.8",), ("cpu", "wasm"), 10,
        feeds={"s": np.array([-9]), "e": np.array([1])}, lowered=False,
    ),
    "computed-limits-of-clip": Faulty(
        node("Clip", "x s e", "y"), {}, X.shape, (), (), 11,
        feeds={"s": np.array(0.2, np.float32), "e": np.array(0.9, np.float32)},
    ),
    "computed-pads": Faulty(
        node("Pad", "x p", "y"), {}, (2, 3, 4, 6), (), (), 11, feeds={"p": np.array([0, 0, 0, 1, 0, 0, 0, 0])},
        lowered=False,
    ),
    "sixteen-inputs": Faulty(
        node("Concat", " ".join(["x", "c"] * 17), "y", axis=1), {"c": X + 1}, (2, 102, 4, 5), ALL, ("webgl",)
    ),
    "no-texture": Faulty(
        node("Relu", "x", "y"), {}, (1, 8209), ALL, ("webgl",), x=np.ones((1, 8209), np.float32), lowered=False
    ),
    "unrolled-image": Faulty(
        node("Conv", "x w", "y"), {"w": image(1, 3, 9, 9)}, (1, 1, 263, 263), ALL, ("webgl",), x=image(1, 3, 271, 271)
    ),
    "larger-than-a-texture": Faulty(
        node("Conv", "x w", "y"), {"w": image(1, 1, 260, 260)}, (1, 1, 64, 64), (), (), x=image(1, 1, 323, 323)
    ),
    "epsilon-of-0": Faulty(
        node("InstanceNormalization", "x s b", "y", epsilon=0.0),
        {"s": np.float32([1, 2, 3]), "b": np.zeros(3, np.float32)}, X.shape, (), (),
    ),
    "sixteen-terms": Faulty(
        node("Sum", " ".join(["x", "c"] * 17), "y"), {"c": X + 1}, X.shape, ALL, ("webgl",)
    ),
}  # fmt: skip
ON_ORT_WEB = (
    "beyond-int32", "computed-limits", "computed-limits-of-clip", "computed-pads", "epsilon-of-0", "equal-shapes",
    "fewer-limits", "larger-than-a-texture", "sixteen-inputs", "sixteen-terms", "stated-zero-factor", "unread-end",
    "wrapped-padding",
)  # fmt: skip
"""Of these, the faults of ONNX Runtime Web on webgl too."""
SLOW = ("larger-than-a-texture",)
"""Of these, ten seconds each."""
ROWS = [
    *((name, f"onnxjs-{v}/{b}") for name, case in CASES.items() for v in case.versions for b in case.backends),
    *((name, "ort-web/webgl") for name in ON_ORT_WEB if name not in SLOW),
    *(pytest.param(name, "ort-web/webgl", marks=pytest.mark.slow) for name in SLOW),
]


def outputs(model, target, feeds) -> Any:
    with open_runner(model, target) as runner:
        return runner.infer(feeds)["y"]


@pytest.mark.sampled(5)
@pytest.mark.parametrize(("name", "target"), ROWS)
def test_a_node_that_fails_or_is_wrong_and_right_when_lowered(name, target):
    case, target = CASES[name], targets.load(target)
    feeds = {"x": case.x, **(case.feeds or {})}
    model = graph([case.node], feeds, case.constants, outputs={"y": case.output_shape}, opset=case.opset)
    expected = outputs(model, "ort/cpu", feeds)
    assert not check(model, target)
    try:
        actual = outputs(model, target, feeds)
        assert actual.shape != expected.shape or not worst_error(actual, expected) < FLOAT32_ERROR
    except RuntimeFault:
        pass
    lowered = lower(model, target)
    assert bool(lowered) is case.lowered, str(lowered)
    if lowered:
        actual = outputs(lowered.model, target, feeds)
        assert actual.shape == expected.shape
        assert worst_error(actual, expected) < FLOAT32_ERROR


@pytest.mark.parametrize("op", ["AveragePool", "MaxPool"])
def test_a_pool_that_skips_the_last_row_skips_the_first_on_webgl(op):
    target, rows = targets.load("ort-web/webgl"), np.arange(8, dtype=np.float32).reshape(1, 1, 8, 1)
    pool = node(op, "x", "y", kernel_shape=[1, 1], strides=[2, 1], auto_pad="SAME_UPPER")
    model = graph([pool], {"x": rows}, outputs={"y": (1, 1, 4, 1)})
    assert not check(model, target)
    np.testing.assert_array_equal(outputs(model, target, {"x": rows}), rows[:, :, 1::2])
    np.testing.assert_array_equal(outputs(lower(model, target).model, target, {"x": rows}), rows[:, :, ::2])


@pytest.mark.parametrize("dtype", [np.float16, np.uint64])
@pytest.mark.parametrize("target", [*(f"onnxjs-{v}/{b}" for v in ALL for b in EVERY), "ort-web/webgl"])
def test_an_input_of_these_types_is_refused(target, dtype):
    """Also if its shape alone counts, so that no node of the lowered model reads it."""
    x = np.ones(3, dtype)
    size = graph([node("Size", "x", "y")], {"x": x}, outputs={"y": ()}, output_type=TensorProto.INT64)
    lowered = lower(size, targets.load(target))
    assert not lowered and "Size" not in {each.op_type for each in lowered.model.graph.node}
    with pytest.raises(RuntimeFault, match="unsupported data type|unspecified error"):
        outputs(lowered.model, target, {"x": x})


@pytest.mark.parametrize("backend", EVERY)
def test_an_input_without_elements_cannot_be_fed(backend):
    """Also if no node is left that reads it, since its shape alone counts."""
    empty = np.zeros((0, 3), np.float32)
    shape = graph([node("Shape", "x", "y")], {"x": empty}, outputs={"y": (2,)}, output_type=TensorProto.INT64)
    for model in (relu(empty), shape):
        assert not lower(model, targets.load(f"onnxjs-0.1.8/{backend}"))


@pytest.mark.parametrize("version", OLD)
def test_a_second_output_is_never_returned(version):
    two = graph([node("Dropout", "x", "y mask")], {"x": X}, outputs={"y": X.shape, "mask": X.shape})
    target = targets.load(f"onnxjs-{version}/cpu")
    assert not check(two, target)
    with pytest.raises(RuntimeFault):
        outputs(two, target, {"x": X})


@pytest.mark.parametrize("backend", ["cpu", "wasm"])
def test_the_sign_of_nan_is_left_open(backend):
    x, target = np.array([-2, np.nan, 3], np.float32), targets.load(f"onnxjs-0.1.8/{backend}")
    model = graph([node("Sign", "x", "y")], {"x": x}, outputs={"y": (3,)}, opset=9)
    assert check(model, target) and "nan" in target.undefined_for({"Sign"})["Sign"]
    np.testing.assert_array_equal(outputs(model, target, {"x": x}), [-1, 0, 1])


@pytest.mark.parametrize("version", ALL)
def test_the_softmax_of_minus_infinity_is_left_open(version):
    x, target = np.full((1, 2), -np.inf, np.float32), targets.load(f"onnxjs-{version}/wasm")
    model = graph([node("Softmax", "x", "y", axis=1)], {"x": x}, outputs={"y": x.shape})
    assert check(model, target) and "infinite" in target.undefined_for({"Softmax"})["Softmax"]
    np.testing.assert_array_equal(outputs(model, target, {"x": x}), np.zeros_like(x))
    assert np.isnan(outputs(model, "ort/cpu", {"x": x})).all()


POOLS = {
    "MaxPool": (node("MaxPool", "x", "y", kernel_shape=[2, 2], strides=[2, 2]), (1, 1, 1, 2)),
    "GlobalMaxPool": (node("GlobalMaxPool", "x", "y"), (1, 1, 1, 1)),
}


@pytest.mark.parametrize("op", POOLS)
@pytest.mark.parametrize(
    ("target", "least"),
    [
        ("ort-web/webgl", -1e5),
        *((f"onnxjs-{v}/{b}", least) for v in ALL for b, least in (("cpu", -(2.0**53)), ("webgl", -1e5))),
    ],
)
def test_the_largest_of_low_numbers_is_left_open(target, least, op):
    pool, shape = POOLS[op]
    low = np.linspace(-3e17, -2e17, 8, dtype=np.float32).reshape(1, 1, 2, 4)
    model = graph([pool], {"x": low}, outputs={"y": shape})
    assert check(model, targets.load(target)) and "low" in targets.load(target).undefined_for({op})[op]
    np.testing.assert_array_equal(outputs(model, target, {"x": low}), np.full(shape, least, np.float32))
    right = low / 1e13
    np.testing.assert_array_equal(outputs(model, target, {"x": right}), outputs(model, "ort/cpu", {"x": right}))


@pytest.mark.parametrize("version", ALL)
def test_the_largest_of_minus_infinity_is_left_open(version):
    pool, shape = POOLS["MaxPool"]
    x, target = np.full((1, 1, 2, 4), -np.inf, np.float32), targets.load(f"onnxjs-{version}/wasm")
    model = graph([pool], {"x": x}, outputs={"y": shape})
    assert check(model, target) and "infinite" in target.undefined_for({"MaxPool"})["MaxPool"]
    np.testing.assert_array_equal(outputs(model, target, {"x": x}), np.full(shape, np.finfo(np.float32).min))
    assert np.isneginf(outputs(model, "ort/cpu", {"x": x})).all()


@pytest.mark.parametrize("op", ["Cos", "Sin", "Tan"])
@pytest.mark.parametrize("target", ["onnxjs-0.1.3/webgl", "onnxjs-0.1.8/webgl", "ort-web/webgl"])
def test_an_angle_far_from_0_is_left_open(target, op):
    near, far = np.array([2.5, -700], np.float32), np.array([1e6, -1e9], np.float32)
    model = graph([node(op, "x", "y")], {"x": near}, outputs={"y": (2,)})
    assert check(model, targets.load(target)) and targets.load(target).undefined_for({op})[op] == ["far"]
    for x, right in ((near, True), (far, False)):
        assert np.allclose(outputs(model, target, {"x": x}), outputs(model, "ort/cpu", {"x": x}), atol=1e-3) is right


@pytest.mark.parametrize("target", [*(f"onnxjs-{v}/{b}" for v in ALL for b in EVERY), "ort-web/webgl"])
def test_a_result_of_float64_comes_back_as_float32(target):
    target = targets.load(target)
    x = np.array([1 + 1e-12, 1e20])
    model = graph(
        [node("ReduceSumSquare", "x", "y", axes=[1])], {"x": x[:, None]}, outputs={"y": (2, 1)},
        output_type=TensorProto.DOUBLE,
    )  # fmt: skip
    assert check(model, target) and target.float64_as_float32
    np.testing.assert_array_equal(outputs(model, target, {"x": x[:, None]}), [[1], [np.inf]])
    np.testing.assert_array_equal(outputs(model, "ort/cpu", {"x": x[:, None]}), x[:, None] ** 2)


NORM_TARGETS = [f"onnxjs-{v}/{b}" for v in ALL for b in EVERY] + ["ort-web/webgl", "ort-web/wasm", "ort-web/webgpu"]


@pytest.mark.parametrize("target", [*NORM_TARGETS, *PIP_TARGETS])
def test_a_normalization_with_a_mean_for_each_element(target):
    statistics = {name: np.abs(image(3, 4, 5, mean=1.0, sd=0.2)) for name in ("scale", "bias", "mean", "var")}
    only = node("BatchNormalization", "x scale bias mean var", "y", spatial=0)
    model = graph([only], {"x": X}, statistics, outputs={"y": X.shape})
    scale, bias, mean, var = statistics.values()
    if check(model, targets.load(target)):
        with open_runner(model, target) as runner:
            y = runner.infer({"x": X})["y"]
        np.testing.assert_allclose(y, (X - mean) / np.sqrt(var + 1e-5) * scale + bias, rtol=1e-4, atol=1e-5)
        return
    assert "a mean for each element" in lower(model, targets.load(target)).refused.reason.iloc[0]
    with pytest.raises(RuntimeFault), open_runner(model, target) as runner:
        runner.infer({"x": X})
