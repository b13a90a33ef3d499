"""A node converted to an older opset computes the same as before, in ONNX Runtime, bit for bit."""

import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import OPSET_RULE, lower
from tests.rewrite.graphs import EXACT, assert_same, model, node, ops, values

TARGET = targets.load("onnxjs-0.1.8/webgl")
"""Takes most ops, at opset 7."""
SHAPE = (1, 3, 6, 8)
F32 = np.float32


def one(op_type, constants, *, opset=18, shape=SHAPE, omitted=(), **attributes):
    inputs = ["" if name in omitted else name for name in constants]
    return model([node(op_type, "x", *inputs, "y", **attributes)], shape,
                 {k: v for k, v in constants.items() if k not in omitted}, opset=opset)  # fmt: skip


CONVERTED = {
    "Pad": one("Pad", {"pads": np.array([0, 0, 1, 2, 0, 0, 3, 1]), "value": np.array(0.5, F32)}),
    "Pad with axes": one("Pad", {"pads": np.array([1, 3]), "value": None, "axes": np.array([-1])}, omitted=("value",)),
    "ReduceMean": one("ReduceMean", {"axes": np.array([-1, 2])}, keepdims=0),
    "ReduceMean of all": one("ReduceMean", {}),
    "ReduceMax": one("ReduceMax", {"axes": np.array([1])}),
    "ReduceSum": one("ReduceSum", {"axes": np.array([2, 3])}, opset=13),
    "ReduceSumSquare": one("ReduceSumSquare", {"axes": np.array([3])}),
    "Squeeze": one("Squeeze", {"axes": np.array([-4])}),
    "Unsqueeze": one("Unsqueeze", {"axes": np.array([0, -1])}, shape=(3, 4)),
    "Slice": one("Slice", {"s": np.array([1, -5]), "e": np.array([6, np.iinfo(np.int64).max]), "a": np.array([2, -1])}),
    "Slice from before the first": one("Slice", {"starts": np.array([0, -9]), "ends": np.array([1, 3])}),
    "Slice from 0": one("Slice", {"starts": np.array([0, 1]), "ends": np.array([1, 3])}),
    "Resize": one("Resize", {"roi": None, "scales": np.array([1, 1, 2, 3], F32)}, omitted=("roi",), mode="nearest"),
    "Upsample": one("Upsample", {"scales": np.array([1, 1, 2, 3], F32)}, opset=9, mode="nearest"),
    "InstanceNormalization": one("InstanceNormalization", {"g": values(3), "b": values(3)}, opset=22),
    "BatchNormalization": one("BatchNormalization", {k: np.abs(values(3)) + 0.1 for k in "gbmv"}, opset=15),
    "Reshape": one("Reshape", {"shape": np.array([1, -1, 8])}, opset=18),
    "Reshape with allowzero": one("Reshape", {"shape": np.array([3, 48])}, allowzero=1),
    "MaxPool rounded up": one("MaxPool", {}, shape=(1, 3, 7, 8), kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1),
    "MaxPool padded, rounded up": one(
        "MaxPool", {}, shape=(1, 3, 7, 8), kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 0], ceil_mode=1
    ),
    "AveragePool rounded up": one(
        "AveragePool", {}, shape=(1, 3, 7, 8), kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 0], ceil_mode=1
    ),
    "Gemm without a bias": one("Gemm", {"b": values(8, 5)}, shape=(3, 8)),
    "Softmax": one("Softmax", {}, opset=13),
    "Concat along the last axis": model([node("Concat", "x", "x", "y", axis=-1)], SHAPE, opset=13),
    "Dropout": one("Dropout", {"ratio": np.array(0.3, F32)}, opset=13),
    "ReduceMean at 13": one("ReduceMean", {}, opset=13, axes=[-1, 1]),
    "ReduceMean at 7 along the last axis": one("ReduceMean", {}, opset=7, axes=[-1]),
    "ReduceMax at 9 along the last axes": one("ReduceMax", {}, opset=9, axes=[1, -1]),
    "Conv": one("Conv", {"w": values(4, 3, 3, 3)}, opset=22, strides=[2, 1], auto_pad="NOTSET"),
}


@pytest.mark.parametrize("name", CONVERTED)
def test_a_converted_node_computes_the_same(name):
    before = CONVERTED[name]
    lowered = lower(before, TARGET)
    assert lowered, str(lowered)
    assert [(o.domain, o.version) for o in lowered.model.opset_import] == [("", 7)]
    assert set(lowered.applied.rule) <= {OPSET_RULE}
    assert_same(before, lowered.model, values(*before_shape(before)), EXACT)


def before_shape(proto: onnx.ModelProto) -> list[int]:
    return [d.dim_value for d in proto.graph.input[0].type.tensor_type.shape.dim]


REFUSED = {
    "does not exist": one("Asinh", {}, opset=20),
    "no attribute 'dilations'": one("MaxPool", {}, kernel_shape=[2, 2], dilations=[2, 2]),
    "a dimension of 0": one("Reshape", {"shape": np.array([0, 7])}, shape=(0, 4), allowzero=1),
    "counts its padding": one(
        "AveragePool", {}, kernel_shape=[2, 3], ceil_mode=1, count_include_pad=1, pads=[1, 1, 1, 1], strides=[2, 2]
    ),
    "lies in its padding": one("MaxPool", {}, kernel_shape=[3, 2], strides=[2, 3], pads=[1, 0, 1, 1], ceil_mode=1),
    "size of x is not fixed": one("MaxPool", {}, shape=(1, 3, "h", 8), kernel_shape=[2, 2], ceil_mode=1),
}


@pytest.mark.parametrize("reason", REFUSED)
def test_a_node_that_cannot_be_converted_is_named_with_the_reason(reason):
    lowered = lower(REFUSED[reason], targets.load("onnxjs-0.1.3/webgl"), rules=())
    assert not lowered
    assert any(reason in r for r in lowered.refused.reason), lowered.refused.to_string()
    assert set(lowered.refused.node) == {"node_y"}
    assert ops(lowered.model) == ops(REFUSED[reason])
    assert lowered.model.opset_import[0].version == REFUSED[reason].opset_import[0].version
