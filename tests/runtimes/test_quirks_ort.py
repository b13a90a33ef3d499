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


def pool(op, size, *kernel, opset=19, **attributes):
    feeds = {"x": GAUSS.normal(size=(1, 2, size, size)).astype(np.float32)}
    return one(op, feeds, {}, opset=opset, kernel_shape=kernel, auto_pad="SAME_UPPER", **attributes), feeds


def attention(queries, *outputs, opset=24, **attributes):
    """Return an Attention with two past keys and four new ones, of two heads."""
    steps = {"q": queries, "k": 4, "v": 4, "pk": 2, "pv": 2}
    feeds = {name: GAUSS.normal(size=(1, 2, count, 8)).astype(np.float32) for name, count in steps.items()}
    node = helper.make_node("Attention", ["q", "k", "v", "", "pk", "pv"], ["y", *outputs], **attributes)
    return graph([node], feeds, outputs={"y": None}, opset=opset, ir_version=10), feeds


def masked(columns):
    """Return an Attention to six keys with so many columns in its mask; of those beyond it none counts."""
    shapes = {"q": (1, 2, 4, 8), "k": (1, 2, 6, 8), "v": (1, 2, 6, 8), "m": (4, columns)}
    feeds = {name: GAUSS.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}
    node = helper.make_node("Attention", list(feeds), ["y"])
    return graph([node], feeds, outputs={"y": None}, opset=24, ir_version=10), feeds


PRESENT = ("key", "value")
REDUCTIONS = (
    "ArgMax", "ArgMin", "ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceMax", "ReduceMean",
    "ReduceMin", "ReduceProd", "ReduceSum", "ReduceSumSquare",
)  # fmt: skip


def quantized(op, data, weights, result):
    """Return a quantized product or convolution of these element types."""
    shapes = {"QLinearMatMul": ((3, 4), (4, 5)), "QLinearConv": ((1, 2, 4, 5), (3, 2, 2, 2))}[op]
    x, w = (GAUSS.integers(0, 9, shape).astype(dtype) for shape, dtype in zip(shapes, (data, weights), strict=True))
    scale, zero = np.float32(0.5), np.zeros((), data)
    constants = {"xs": scale, "xz": zero, "w": w, "ws": scale, "wz": np.zeros((), weights), "ys": np.float32(2)}
    output_type = helper.np_dtype_to_tensor_dtype(np.dtype(result))
    return one(op, {"x": x}, constants | {"yz": np.zeros((), result)}, output_type=output_type), {"x": x}


def reduced(op, batch, dtype=np.float32):
    feeds = {"x": GAUSS.uniform(0.5, 2, size=(batch, 2, 5, 7)).astype(dtype)}
    is_index = op in ("ArgMax", "ArgMin")
    attributes = {"axis": -1} if is_index else {"axes": [-1]}
    output_type = TensorProto.INT64 if is_index else helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return one(op, feeds, {}, opset=11, output_type=output_type, **attributes), feeds


def kept(axes=(), **nothing):
    """The norm of signed numbers; `noop_with_empty_axes` of each by itself."""
    feeds = {"x": GAUSS.normal(size=(2, 5, 7)).astype(np.float32)}
    return one("ReduceL2", feeds, dict(axes), opset=18, **nothing), feeds


def ranked(batch):
    feeds = {"x": GAUSS.normal(size=(batch, 2, 5, 7)).astype(np.float32)}
    node = helper.make_node("TopK", ["x", "k"], ["y", "i"])
    model = graph(
        [node], feeds, {"k": np.array([2])}, outputs={"y": None}, opset=11, ir_version=8, initializers_are_inputs=False
    )
    return models.infer_shapes(model), feeds


def grouped(*, centred):
    """Return a GroupNormalization of values around 300, or of these minus their mean."""
    feeds = {"x": (GAUSS.normal(size=(1, 4, 5, 7)) + 300).astype(np.float32)}
    constants = {"scale": np.ones(4, np.float32), "bias": np.zeros(4, np.float32)}
    if not centred:
        return one("GroupNormalization", feeds, constants, opset=21, num_groups=2), feeds
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"]), helper.make_node("Sub", ["x", "mean"], ["centred"]),
        helper.make_node("GroupNormalization", ["centred", *constants], ["y"], num_groups=2),
    ]  # fmt: skip
    model = graph(nodes, feeds, constants, outputs={"y": None}, opset=21, ir_version=10, initializers_are_inputs=False)
    return models.infer_shapes(model), feeds


def spectrum(parts):
    feeds = {"x": GAUSS.normal(size=(1, 64, parts)).astype(np.float32)}
    constants = {"step": np.array(4), "window": np.ones(16, np.float32)}
    return one("STFT", feeds, constants, opset=17, onesided=0), feeds


def mel(dtype):
    feeds = {"bins": np.array(8)}
    constants = {"n": np.array(16), "rate": np.array(8192), "low": np.float32(0), "high": np.float32(4096)}
    return one("MelWeightMatrix", feeds, constants, opset=17, output_type=dtype, output_datatype=dtype), feeds


def parts(size, count):
    """Return a Split of so many elements, of which the first part is given out."""
    feeds = {"x": GAUSS.normal(size=(size, 2)).astype(np.float32)}
    node = helper.make_node("Split", ["x"], ["y", *(f"p{i}" for i in range(1, count))], num_outputs=count)
    return models.infer_shapes(graph([node], feeds, outputs={"y": None}, opset=18, ir_version=8)), feeds


def eye(dtype):
    feeds = {"x": np.zeros((3, 4), dtype)}
    return one("EyeLike", feeds, {}, opset=9, output_type=TensorProto.FLOAT16, dtype=TensorProto.FLOAT16), feeds


def wrapped(begin):
    feeds = {"x": GAUSS.normal(size=(2, 3)).astype(np.float32)}
    return one("Pad", feeds, {"pads": np.array([0, begin, 0, 1])}, opset=19, mode="wrap"), feeds


def reshaped(*given_out):
    """A Reshape to sizes that a Reshape makes of what is fed."""
    nodes = [helper.make_node("Reshape", ["s", "n"], ["r"]), helper.make_node("Reshape", ["x", "r"], ["y"])]
    feeds = {"x": GAUSS.normal(size=(2, 3, 4)).astype(np.float32), "s": np.array([[4, 6]])}
    outputs = {"y": (4, 6)} | dict.fromkeys(given_out)
    model = graph(
        nodes, feeds, {"n": np.array([-1])}, outputs=outputs, opset=13, ir_version=8, initializers_are_inputs=False
    )
    for output in model.graph.output[1:]:
        output.type.tensor_type.elem_type = TensorProto.INT64
    return model, feeds


FAULTS = {
    "reshaped-sizes": (reshaped(), reshaped("r"), False),
    "dilated-same": (conv(auto_pad="SAME_UPPER", dilations=[2, 1]), conv(auto_pad="SAME_UPPER"), True),
    "one-hot-types": (one_hot(np.float32, np.int64), one_hot(np.int64, np.int64), False),
    "images-only": (lrn(2, 3, 7), lrn(2, 3, 4, 5), True),
    "one-hot-types of whole numbers": (one_hot(np.int32, np.int64), one_hot(np.int32, np.int32), True),
    "unread-end": (
        pool("MaxPool", 8, 1, 1, opset=22, strides=[2, 2]),
        pool("MaxPool", 7, 1, 1, opset=22, strides=[2, 2]),
        True,
    ),
    "past-without-present": (attention(3), attention(3, *PRESENT), True),
    "past-without-present of one": (attention(3, "key"), attention(3, *PRESENT), True),
    "mask-of-other-size": (masked(4), masked(6), True),
    "quantized-types": (
        quantized("QLinearMatMul", "int8", "uint8", "int8"),
        quantized("QLinearMatMul", "uint8", "int8", "uint8"),
        True,
    ),
    "quantized-types of a result": (
        quantized("QLinearConv", "uint8", "uint8", "int8"),
        quantized("QLinearConv", "int8", "int8", "int8"),
        True,
    ),
    "eye-of-float16": (eye(np.float32), eye(np.float16), True),
    "missing-part": (parts(5, 4), parts(5, 3), False),
    "no-half-weights": (mel(TensorProto.FLOAT16), mel(TensorProto.FLOAT), False),
}
"""By quirk: a model that fails with its feeds, one near it that is right, and whether `lower` fixes the first."""


def truth(model, feeds) -> np.ndarray:
    """Return the result in float64, computed here for two ops of which onnx's reference lacks these forms."""
    node = model.graph.node[0]
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    if node.op_type == "LRN":
        x = feeds["x"].astype(np.float64)
        padded = np.pad(x**2, ((0, 0), (1, 1), *[(0, 0)] * (x.ndim - 2)))
        return x / (1 + 1e-4 / 3 * sum(padded[:, i : i + x.shape[1]] for i in range(3))) ** 0.75
    if attributes.get("kernel_shape") == [1, 1]:
        down, right = attributes["strides"]
        read = feeds["x"][:, :, ::down, ::right].astype(np.float64)
        return np.abs(read) if node.op_type == "LpPool" else read
    with Float64Runner(model) as runner:
        return np.asarray(runner.infer(feeds)["y"])


def error_of(model, target, feeds, lowered=None) -> float:
    """Return the largest error of `target` on the model or its lowered form."""
    expected = truth(model, feeds)
    with open_runner(lowered or model, target) as runner:
        return worst_error(runner.infer(feeds)["y"], expected.astype(np.float32))


def assert_refused_and_lowered(name, target, faulty, near, is_lowered):
    """Assert that `check` knows the fault, that the model near it is right, and whether `lower` fixes the fault."""
    (model, feeds), (near_model, near_feeds) = faulty, near
    quirk = next(quirk for quirk in target.quirks if quirk.name == name.split()[0])
    assert quirk.summary in check(model, target).table.reason.iloc[0]
    assert check(near_model, target) and error_of(near_model, target, near_feeds) < NEAR
    lowered = lower(model, target)
    assert bool(lowered) is is_lowered, str(lowered)
    if lowered:
        assert error_of(model, target, feeds, lowered.model) < NEAR


@pytest.mark.sampled(5)
@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", FAULTS)
def test_a_node_that_fails_is_refused_and_lowered_where_a_rule_can(name, target):
    target, (model, feeds) = targets.load(target), FAULTS[name][0]
    with pytest.raises(RuntimeFault):
        error_of(model, target, feeds)
    assert_refused_and_lowered(name, target, *FAULTS[name])


WRONG = {
    "dilated-same-pools of MaxPool": (pool("MaxPool", 7, 2, 2, dilations=[2, 2]), pool("MaxPool", 7, 2, 2), False),
    "dilated-same-pools of AveragePool": (
        pool("AveragePool", 7, 2, 2, dilations=[2, 2]), pool("AveragePool", 7, 2, 2), False
    ),
    "dilated-same-pools of LpPool": (
        pool("LpPool", 7, 2, 2, dilations=[2, 2], opset=18), pool("LpPool", 7, 2, 2, opset=18), False
    ),
    "single-causal-query": (
        attention(1, *PRESENT, is_causal=1, opset=23), attention(2, *PRESENT, is_causal=1, opset=23), True
    ),
}  # fmt: skip
"""By quirk: a model whose result is wrong with its feeds, one near it, and whether `lower` fixes the first."""


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", WRONG)
def test_a_node_that_is_silently_wrong_is_refused_and_lowered_where_a_rule_can(name, target):
    target, (model, feeds) = targets.load(target), WRONG[name][0]
    assert error_of(model, target, feeds) > NEAR
    assert_refused_and_lowered(name, target, *WRONG[name])


@pytest.mark.parametrize("name", ["opencv/cpu", "tract/cpu"])
def test_a_mask_of_fewer_columns_is_refused_in_other_engines_too(name):
    """Here, as ONNX Runtime cannot tell what is right: it fails on such a mask itself."""
    target, (model, feeds) = targets.load(name), masked(4)
    assert is_wrong_or_fails(model, target, feeds)
    assert_refused_and_lowered("mask-of-other-size", target, masked(4), masked(6), True)


@pytest.mark.parametrize("op", ["AveragePool", "LpPool"])
def test_a_pool_whose_strides_skip_its_start_is_refused_in_onnx_runtime(op):
    faulty, near = (pool(op, size, 1, 1, opset=22, strides=[4, 4]) for size in (7, 5))
    target = targets.load("ort/cpu")
    assert error_of(faulty[0], target, faulty[1]) > NEAR
    assert_refused_and_lowered("unread-start", target, faulty, near, False)


def padded_pool(op, before, size):
    """A pool of this size, of what an op makes of positive numbers, padded with zeros."""
    nodes = [
        helper.make_node("Sigmoid", ["x"], ["s"]), helper.make_node(before, ["s"], ["r"]),
        helper.make_node("Pad", ["r", "p"], ["q"]), helper.make_node(op, ["q"], ["y"], kernel_shape=[size] * 2),
    ]  # fmt: skip
    feeds = {"x": GAUSS.normal(size=(1, 2, 5, 6)).astype(np.float32)}
    model = graph(
        nodes, feeds, {"p": np.array([0, 0, 1, 1] * 2)}, outputs={"y": None}, opset=13, ir_version=8,
        initializers_are_inputs=False,
    )  # fmt: skip
    return models.infer_shapes(model), feeds


WRONG_IN_A_BROWSER = {
    **{f"no-empty-reductions of {op}": (reduced(op, 0), reduced(op, 1), False) for op in REDUCTIONS},
    **{
        f"no-empty-integers of {op}": (reduced(op, 0, np.int64), reduced(op, 1, np.float32), False)
        for op in ("ArgMin", "ReduceSum")
    },
    "no-attention-window": (
        attention(2, *PRESENT, opset=25, left_window_size=-1),
        attention(2, *PRESENT, opset=25),
        True,
    ),
    "noop-reduction": (kept(noop_with_empty_axes=1), kept(), True),
    "noop-reduction of no axes": (kept({"a": np.zeros(0, np.int64)}, noop_with_empty_axes=1), kept(), True),
    "no-empty-ranking": (ranked(0), ranked(1), False),
    "uncentred-groups": (grouped(centred=False), grouped(centred=True), True),
    "windowed-complex-signals": (spectrum(2), spectrum(1), True),
    "wrapped-beyond": (wrapped(4), wrapped(3), True),
    "joined-padding of a MaxPool": (padded_pool("MaxPool", "Neg", 3), padded_pool("MaxPool", "Identity", 3), True),
    "joined-padding of a small MaxPool": (
        padded_pool("MaxPool", "Identity", 1),
        padded_pool("MaxPool", "Identity", 2),
        True,
    ),
    "joined-padding of an AveragePool": (
        padded_pool("AveragePool", "Neg", 1),
        padded_pool("AveragePool", "Neg", 2),
        True,
    ),
}
"""By quirk of ORT Web: a model that fails or is wrong, one near it that is right, and whether `lower` fixes it."""


def quirk_targets(name) -> list[str]:
    """Return the targets of ORT Web that have the quirk of this name."""
    both = ("ort-web/wasm", "ort-web/webgpu")
    return [target for target in both if any(q.name == name.split()[0] for q in targets.load(target).quirks)]


def is_wrong_or_fails(model, target, feeds) -> bool:
    try:
        return error_of(model, target, feeds) > NEAR
    except RuntimeFault as fault:
        return fault.engine.split()[0] == target.name


@pytest.mark.sampled(5)
@pytest.mark.browser
@pytest.mark.parametrize(
    ("name", "target"), [(name, target) for name in WRONG_IN_A_BROWSER for target in quirk_targets(name)]
)
def test_what_is_wrong_in_a_browser_alone_is_refused_there(name, target):
    target, (model, feeds) = targets.load(target), WRONG_IN_A_BROWSER[name][0]
    assert is_wrong_or_fails(model, target, feeds)
    assert_refused_and_lowered(name, target, *WRONG_IN_A_BROWSER[name])


@pytest.mark.browser
@pytest.mark.parametrize("target", ["ort-web/wasm", "ort-web/webgpu"])
def test_a_split_whose_last_part_is_empty_fails_in_a_browser_alone(target):
    (model, feeds), (near, near_feeds) = parts(4, 3), parts(5, 3)
    assert "its last part is empty" in check(model, targets.load(target)).table.reason.iloc[0]
    with open_runner(model, target) as runner, pytest.raises(RuntimeFault, match="split"):
        runner.infer(feeds)
    for right, its_feeds, where in ((near, near_feeds, target), (model, feeds, "ort/cpu")):
        assert check(right, targets.load(where))
        with open_runner(right, where) as runner:
            np.testing.assert_array_equal(runner.infer(its_feeds)["y"], its_feeds["x"][:2])


@pytest.mark.parametrize("target", TARGETS[:2])
def test_an_average_whose_strides_skip_the_end_fails_before_opset_19(target):
    (old, feeds), (new, _) = (pool("AveragePool", 8, 1, 1, opset=opset, strides=[2, 2]) for opset in (18, 19))
    target = targets.load(target)
    assert "AveragePool that pads SAME" in check(old, target).table.reason.iloc[0]
    with open_runner(old, target) as runner, pytest.raises(RuntimeFault, match="padding values must be non-negative"):
        runner.infer(feeds)
    for right in (new, lower(old, target).model):
        assert check(right, target)
        with open_runner(right, target) as runner:
            np.testing.assert_array_equal(runner.infer(feeds)["y"], feeds["x"][:, :, ::2, ::2])


@pytest.mark.parametrize("target", TARGETS[:2])
@pytest.mark.parametrize("op", ["ReduceMax", "ReduceMin"])
def test_the_largest_and_the_least_of_nan_are_left_open(op, target):
    """Of matrices with one NaN per row the engine loses it in most rows."""
    x = np.zeros((5, 5), np.float32)
    np.fill_diagonal(x, np.nan)
    model = one(op, {"x": x}, {}, opset=11, axes=[1], keepdims=0)
    assert check(model, targets.load(target)).undefined_values == {op: ["nan"]}
    with open_runner(model, target) as runner:
        assert np.isnan(runner.infer({"x": x})["y"]).sum() < 5


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


def weighted(axis, scales, *, transposed=0):
    """Return a product by dequantized weights, which has 16 rows and 8 columns unless it is transposed."""
    feeds = {"x": GAUSS.normal(size=(3, 16)).astype(np.float32)}
    shape = (8, 16) if transposed else (16, 8)
    constants = {
        "w": np.random.default_rng(3).integers(-100, 100, shape).astype(np.int8),
        "s": np.random.default_rng(4).uniform(0.01, 0.1, scales).astype(np.float32),
    }
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "s"], ["d"], axis=axis),
        helper.make_node("Gemm", ["x", "d"], ["y"], transB=transposed),
    ]
    model = graph(nodes, feeds, constants, outputs={"y": None}, opset=19, ir_version=9, initializers_are_inputs=False)
    return models.infer_shapes(model), feeds


@pytest.mark.parametrize(
    ("model", "feeds", "right"),
    [(*weighted(1, ()), False), (*weighted(1, 8), False), (*weighted(0, 16), True),
     (*weighted(1, (), transposed=1), True)],
)  # fmt: skip
def test_what_dequantized_weights_multiply_is_not_rounded(model, feeds, right):
    target = targets.load("ort/cpu")
    truth = Float64Runner(model).infer(dict(feeds))["y"]
    found = []
    for each in (model, lower(model, target).model):
        with open_runner(each, target) as runner:
            found.append(worst_error(runner.infer(feeds)["y"], truth) < NEAR)
    assert found == [right, True]
    assert bool(check(model, target)) == right


@pytest.mark.browser
@pytest.mark.parametrize("target", ["ort-web/wasm", "ort-web/webgpu"])
def test_the_size_of_a_shape_fails_in_a_browser_alone(target):
    """As in the body of RMSNormalization, which counts the axes of its input."""
    x = np.zeros((2, 3, 4), np.float32)
    nodes = [
        helper.make_node("Shape", ["x"], ["s"]),
        helper.make_node("Size", ["s"], ["n"]),
        helper.make_node("Range", ["one", "n", "one"], ["y"]),
    ]
    model = graph(
        nodes, {"x": x}, {"one": np.array(1)}, outputs={"y": (2,)}, opset=17, ir_version=8,
        output_type=TensorProto.INT64, initializers_are_inputs=False,
    )  # fmt: skip
    assert not check(model, targets.load(target))
    with pytest.raises(RuntimeFault, match="ShapeInferenceError"):
        open_runner(model, target)
    for right, where in ((lower(model, targets.load(target)).model, target), (model, "ort/cpu")):
        assert check(right, targets.load(where))
        with open_runner(right, where) as runner:
            np.testing.assert_array_equal(runner.infer({"x": x})["y"], [1, 2])
