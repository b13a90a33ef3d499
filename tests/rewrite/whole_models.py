"""Models with several inputs and outputs for the tests of `lower`, run in ONNX Runtime before and after."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.rewrite.lower import Lowering, lower

FLOAT = TensorProto.FLOAT


def value(name: str, shape=None, element_type: int = FLOAT) -> onnx.ValueInfoProto:
    """Return the declaration of a value."""
    return helper.make_tensor_value_info(name, element_type, shape)


def whole_model(nodes, inputs, outputs, constants=None, *, opset: int = 17, ir_version: int = 8) -> onnx.ModelProto:
    """Return a model; inputs and outputs are declarations, or names of float values of any shape."""
    declared = [[value(each) if isinstance(each, str) else each for each in names] for names in (inputs, outputs)]
    initializers = [numpy_helper.from_array(np.asarray(array), name) for name, array in (constants or {}).items()]
    graph = helper.make_graph(nodes, "whole", *declared, initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def outputs(proto: onnx.ModelProto, feeds) -> dict[str, np.ndarray]:
    """Return the outputs in ONNX Runtime, without its optimizer, in their order."""
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(proto.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return dict(zip([output.name for output in session.get_outputs()], session.run(None, feeds), strict=True))


def assert_lowers_to_the_same(proto: onnx.ModelProto, target: str, feeds, *, relative: float = 0.0) -> Lowering:
    """Lower for a target, assert that it runs the result and that all outputs are the same, and return the result."""
    before = proto.SerializeToString()
    lowered = lower(proto, targets.load(target))
    assert proto.SerializeToString() == before
    assert lowered, lowered.refused.to_string()
    assert_same_outputs(proto, lowered.model, feeds, relative=relative)
    return lowered


def assert_same_outputs(a: onnx.ModelProto, b: onnx.ModelProto, feeds, *, relative: float = 0.0) -> None:
    """Assert that outputs have the same names, order, types and values, within `relative` of the largest value."""
    onnx.checker.check_model(b, full_check=True)
    wanted, found = outputs(a, feeds), outputs(b, feeds)
    assert list(found) == list(wanted)
    assert [output.name for output in b.graph.output] == [output.name for output in a.graph.output]
    for name, array in wanted.items():
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape), name
        largest = float(np.abs(array).max(initial=0)) if array.dtype.kind == "f" else 0.0
        np.testing.assert_allclose(found[name], array, rtol=0, atol=relative * largest, err_msg=name)
