"""The ops and faults that the targets of the pip engines list, tested in the engines themselves."""

from __future__ import annotations

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import FLOAT32_ERROR, PIP_TARGETS, graph, image, node, worst_error

X = image(3, 4, 6, 10, mean=2.0, sd=1.0)
WRONG = 0.05
"""Relative error above which an engine is wrong rather than inaccurate."""

UNKNOWN_OP = {
    "opencv/cpu": "Can't create layer",
    "openvino/cpu": "No conversion rule found",
    "tract/cpu": "Unimplemented(",
}
"""Part of the message of each engine for an op that it does not know, and for no other."""

NEWEST_OPSET = 23


def tensor_ops() -> list[str]:
    """Every op of ONNX that works on tensors of numbers; control flow, sequences and strings are left out."""
    history = [schema for schema in onnx.defs.get_all_schemas_with_history() if schema.domain == ""]
    return sorted({s.name for s in history if s.since_version <= NEWEST_OPSET and not s.deprecated and _of_numbers(s)})


def _of_numbers(schema: onnx.defs.OpSchema) -> bool:
    graphs = any(attribute.type == onnx.defs.OpSchema.AttrType.GRAPH for attribute in schema.attributes.values())
    return not graphs and all(
        any(kind.startswith("tensor(") and kind != "tensor(string)" for kind in part.types)
        for part in (*schema.inputs, *schema.outputs)
    )


def errors(model, feeds, *names) -> list[float]:
    """Worst error of each target over all outputs, against ONNX Runtime."""
    with open_runner(model, "ort/cpu") as runner:
        expected = runner.infer(feeds)
    worst = []
    for name in names:
        with open_runner(model, name) as runner:
            actual = runner.infer(feeds)
        worst.append(max(worst_error(actual[value], expected[value]) for value in expected))
    return worst


def lone_node(op_type: str) -> onnx.ModelProto:
    """`op_type` with as many float inputs as it must have, right or wrong."""
    opset = 8 if op_type == "Upsample" else NEWEST_OPSET
    schema = onnx.defs.get_schema(op_type, opset, "")
    inputs = {f"x{i}": image(1, 3, 8, 8) for i in range(schema.min_input)}
    outputs = [f"y{i}" for i in range(max(1, schema.min_output))]
    only = helper.make_node(op_type, list(inputs), outputs)
    return graph([only], inputs, outputs={"y0": (1, 3, 8, 8)}, opset=opset, ir_version=8)


@pytest.mark.parametrize("name", UNKNOWN_OP)
def test_the_engine_has_the_ops_that_its_table_lists(name):
    missing, ops = set(), tensor_ops()
    assert len(ops) > 150
    for op_type in ops:
        try:
            open_runner(lone_node(op_type), name)
        except RuntimeFault as fault:
            if UNKNOWN_OP[name] in fault.message:
                missing.add(op_type)
    assert missing == {op_type for op_type in ops if not targets.load(name).selectors(op_type)}


def says_no(model, name: str) -> bool:
    return not targets.check(model, targets.load(name))


@pytest.mark.parametrize("op", ["Conv", "AveragePool", "MaxPool"])
def test_opencv_takes_same_lower_for_same_upper(op):
    def padded(mode):
        weights = {"w": image(4, 4, 2, 2)} if op == "Conv" else {}
        padding = node(op, " ".join(["x", *weights]), "y", kernel_shape=[2, 2], auto_pad=mode)
        return graph([padding], {"x": X}, weights, outputs={"y": X.shape}, opset=11)

    wrong, right = errors(padded("SAME_LOWER"), {"x": X}, "opencv/cpu", "openvino/cpu")
    assert wrong > WRONG and right < FLOAT32_ERROR
    assert says_no(padded("SAME_LOWER"), "opencv/cpu")
    assert errors(padded("SAME_UPPER"), {"x": X}, "opencv/cpu")[0] < FLOAT32_ERROR
    assert not says_no(padded("SAME_UPPER"), "opencv/cpu")


@pytest.mark.parametrize("name", ["opencv/cpu", "openvino/cpu"])
def test_antialias_is_overlooked(name):
    def halved(antialias):
        scales = {"s": np.array([1, 1, 0.5, 0.5], np.float32)}
        resize = helper.make_node("Resize", ["x", "", "s"], ["y"], mode="linear", antialias=antialias)
        return graph([resize], {"x": X}, scales, outputs={"y": (3, 4, 3, 5)}, opset=18, ir_version=8)

    wrong, right = errors(halved(1), {"x": X}, name, "tract/cpu")
    assert wrong > WRONG and right < FLOAT32_ERROR
    assert says_no(halved(1), name)
    assert errors(halved(0), {"x": X}, name)[0] < FLOAT32_ERROR
    assert not says_no(halved(0), name)


@pytest.mark.parametrize("policy", ["not_larger", "not_smaller"])
def test_openvino_does_not_keep_the_aspect_ratio(policy):
    size = {"not_larger": (5, 8), "not_smaller": (7, 12)}[policy]
    resize = helper.make_node(
        "Resize", ["x", "", "", "s"], ["y"], mode="nearest", axes=[2, 3], keep_aspect_ratio_policy=policy
    )
    model = graph([resize], {"x": X}, {"s": np.array([7, 8])}, outputs={"y": (3, 4, *size)}, opset=18, ir_version=8)
    assert errors(model, {"x": X}, "openvino/cpu") == [float("inf")]
    assert says_no(model, "openvino/cpu")


def test_opencv_has_no_symmetric_half_pixels():
    scales = {"s": np.array([1, 1, 2, 3], np.float32)}
    mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel_symmetric"}
    resize = helper.make_node("Resize", ["x", "", "s"], ["y"], **mode)
    model = graph([resize], {"x": X}, scales, outputs={"y": (3, 4, 12, 30)}, opset=19, ir_version=8)
    assert errors(model, {"x": X}, "opencv/cpu")[0] > WRONG
    assert says_no(model, "opencv/cpu")


@pytest.mark.parametrize("opset", [13, 18])
def test_opencv_reduces_a_batch_of_three_wrong(opset):
    def mean(x, axes):
        shape = tuple(1 if axis in axes else size for axis, size in enumerate(x.shape))
        given = {"axes": np.array(axes)} if opset == 18 else {}
        by_attribute = {} if given else {"axes": axes}
        reduce = node("ReduceMean", " ".join(["x", *given]), "y", **by_attribute)
        return graph([reduce], {"x": x}, given, outputs={"y": shape}, opset=opset, ir_version=8)

    wrong, right = errors(mean(X, [0, 2, 3]), {"x": X}, "opencv/cpu", "openvino/cpu")
    assert wrong > WRONG / 10 and right < FLOAT32_ERROR
    assert says_no(mean(X, [0, 2, 3]), "opencv/cpu")
    for x, axes in ((X[:2], [0, 2, 3]), (X, [2, 3])):
        assert errors(mean(x, axes), {"x": x}, "opencv/cpu")[0] < FLOAT32_ERROR
        assert not says_no(mean(x, axes), "opencv/cpu")


@pytest.mark.parametrize("name", PIP_TARGETS)
def test_a_scalar_stays_one(name):
    model = graph([node("ReduceSum", "x", "y", keepdims=0)], {"x": X}, outputs={"y": ()}, opset=11)
    with open_runner(model, name) as runner:
        y = runner.infer({"x": X})["y"]
    assert y.shape == ()
    assert y == pytest.approx(X.sum(), rel=1e-5)


@pytest.mark.parametrize("name", PIP_TARGETS)
def test_an_input_that_no_node_reads_does_no_harm(name):
    feeds = {"x": X, "idle": X}
    model = graph([node("Relu", "x", "y")], feeds, outputs={"y": X.shape})
    with open_runner(model, name) as runner:
        np.testing.assert_array_equal(runner.infer(feeds)["y"], np.maximum(X, 0))


def test_openvino_computes_in_float32():
    """By default it computes in bfloat16 where the processor can, and reports that."""
    import openvino

    weights = {"w": image(8, 4, 3, 3)}
    model = graph([node("Conv", "x w", "y")], {"x": X}, weights, outputs={"y": (3, 8, 4, 8)})
    target = targets.load("openvino/cpu")
    core = openvino.Core()
    chosen = core.compile_model(core.read_model(model.SerializeToString()), "CPU").get_property(
        "INFERENCE_PRECISION_HINT"
    )
    with open_runner(model, "ort/cpu") as exact, open_runner(model, dataclasses.replace(target, settings={})) as free:
        error = worst_error(free.infer({"x": X})["y"], exact.infer({"x": X})["y"])
    assert (error > FLOAT32_ERROR) == (chosen == openvino.Type.bf16)
    assert errors(model, {"x": X}, "openvino/cpu")[0] < FLOAT32_ERROR


def test_tract_wants_batch_normalization_by_constants():
    statistics = {name: np.array([1.0, 2.0, 3.0, 4.0], np.float32) for name in ("g", "b", "m", "v")}
    nodes, outputs = [node("BatchNormalization", "x g b m v", "y")], {"y": X.shape}
    constant = graph(nodes, {"x": X}, statistics, outputs=outputs, initializers_are_inputs=False, ir_version=8)
    fed = graph(nodes, {"x": X} | statistics, outputs=outputs)
    assert errors(constant, {"x": X}, "tract/cpu")[0] < FLOAT32_ERROR
    assert not says_no(constant, "tract/cpu")
    assert says_no(fed, "tract/cpu")
    with pytest.raises(RuntimeFault, match="Params are not const"):
        open_runner(fed, "tract/cpu")


def test_an_old_upsample_is_lowered_for_tract():
    old = graph(
        [node("Upsample", "x", "y", mode="nearest", scales=[1.0, 1.0, 2.0, 3.0])],
        {"x": X},
        outputs={"y": (3, 4, 12, 30)},
    )
    assert says_no(old, "tract/cpu")
    lowered = lower(old, targets.load("tract/cpu"))
    assert list(lowered.applied.rule) == ["resize-gather"]
    assert errors(lowered.model, {"x": X}, "tract/cpu") == [0]


@pytest.mark.parametrize(("op", "value"), [("Shape", [1, 3, 5, 7]), ("Size", 105)])
def test_tract_returns_sizes_as_int64(op, value):
    feeds = {"x": image(1, 3, 5, 7)}
    model = graph([node(op, "x", "y")], feeds, outputs={"y": np.shape(value)}, output_type=TensorProto.INT64, opset=13)
    with open_runner(model, "tract/cpu") as runner:
        result = runner.infer(feeds)["y"]
    assert result.dtype == np.int64 and np.array_equal(result, value)


@pytest.mark.parametrize("op", ["Relu", "ReduceSum"])
def test_opencv_runs_a_model_that_declares_no_output_shape(op):
    attributes = {"keepdims": 0} if op == "ReduceSum" else {}
    model = graph([node(op, "x", "y", **attributes)], {"x": X}, outputs={"y": None}, opset=13, ir_version=8)
    model.graph.output[0].type.tensor_type.ClearField("shape")
    with open_runner(model, "opencv/cpu") as engine, open_runner(model, "ort/cpu") as reference:
        actual, expected = engine.infer({"x": X})["y"], reference.infer({"x": X})["y"]
    np.testing.assert_allclose(actual, expected, rtol=1e-5)
    assert actual.shape == expected.shape


def test_opencv_returns_float16_as_declared():
    x = X.astype(np.float16)
    relu = graph([node("Relu", "x", "y")], {"x": x}, outputs={"y": x.shape}, output_type=TensorProto.FLOAT16, opset=13)
    with open_runner(relu, "opencv/cpu") as runner:
        result = runner.infer({"x": x})["y"]
    assert result.dtype == np.float16 and np.array_equal(result, np.maximum(x, 0))
