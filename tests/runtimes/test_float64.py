"""Runs in float64."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab.runtimes.float64 import Float64Runner


@pytest.mark.parametrize(("op", "opset"), [("GroupNormalization", 21), ("MeanVarianceNormalization", 13)])
def test_ops_that_onnx_defines_by_others_are_computed_in_float64_too(op: str, opset: int) -> None:
    x = np.random.default_rng(0).uniform(199.99, 200.01, (1, 1, 5, 7)).astype(np.float32)
    weights = {"scale": np.ones(1, np.float32), "bias": np.zeros(1, np.float32)} if op.startswith("Group") else {}
    attributes = {"num_groups": 1} if weights else {}
    graph = helper.make_graph(
        [helper.make_node(op, ["x", *weights], ["y"], **attributes)],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape)],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=8)
    y = Float64Runner(model).infer({"x": x})["y"]
    wide = x.astype(np.float64)
    np.testing.assert_allclose(y, (wide - wide.mean()) / np.sqrt(wide.var() + (1e-5 if weights else 0)), atol=1e-5)


def test_an_attribute_that_such_an_op_leaves_out_has_its_default() -> None:
    x = np.random.default_rng(0).normal([[[[1.0]], [[5.0]]]], 1.0, (2, 2, 3, 5)).astype(np.float32)
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, x.shape)
    node = helper.make_node("MeanVarianceNormalization", ["x"], ["y"])
    graph = helper.make_graph([node], "g", [value], [helper.make_tensor_value_info("y", TensorProto.FLOAT, x.shape)])
    y = Float64Runner(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)])).infer({"x": x})["y"]
    np.testing.assert_allclose(y.mean((0, 2, 3)), 0.0, atol=1e-6)
    np.testing.assert_allclose(y.std((0, 2, 3)), 1.0, atol=1e-6)
