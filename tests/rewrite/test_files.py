"""What files write in unusual ways: nothing is lost, or the model is refused in one line."""

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.errors import InputError
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import values
from tests.rewrite.whole_models import assert_lowers_to_the_same, assert_same_outputs, value, whole_model

C = np.array([0, 1, 2, 3], np.float32)


def small():
    nodes = [helper.make_node("Add", ["x", "c"], ["a"]), helper.make_node("Softplus", ["a"], ["y"])]
    return whole_model(nodes, [value("x", (2, 4))], [value("y", (2, 4))], {"c": C})


@pytest.mark.parametrize("indices", [[1, 2, 3], [[1], [2], [3]]])
@pytest.mark.parametrize("in_a_node", [False, True])
def test_sparse_constants_become_dense(indices, in_a_node):
    proto = small()
    del proto.graph.initializer[:]
    stored = numpy_helper.from_array(C[1:], "c"), numpy_helper.from_array(np.array(indices), "c.indices")
    sparse = helper.make_sparse_tensor(*stored, [4])
    if in_a_node:
        proto.graph.node.insert(0, helper.make_node("Constant", [], ["c"], sparse_value=sparse))
    else:
        proto.graph.sparse_initializer.append(sparse)
    for target in ("ort/cpu", "onnxjs-0.1.8/wasm"):
        assert len(targets.check(proto, targets.load(target)).table)
        lowered = lower(proto, targets.load(target))
        assert_same_outputs(small(), lowered.model, {"x": values(2, 4)}, relative=1e-6)


def test_damaged_metadata_loses_no_weights():
    proto = small()
    tensor = proto.graph.initializer[0]
    tensor.metadata_props.add().value = "without a key"
    tensor.external_data.add(key="offset", value="12")
    proto.graph.node[0].metadata_props.add()
    proto.metadata_props.add()
    for name in ("c", "c", "unknown", ""):
        annotation = proto.graph.quantization_annotation.add(tensor_name=name)
        annotation.quant_parameter_tensor_names.add(key="SCALE_TENSOR", value="unknown")
    proto.graph.value_info.extend([value("c", (7, 7), TensorProto.INT64), value("unknown", (1,))])
    proto.graph.value_info.add(name="a")
    assert_lowers_to_the_same(proto, "onnxjs-0.1.8/wasm", {"x": values(2, 4)}, relative=1e-6)


def test_what_is_no_graph_is_refused_in_one_line():
    target = targets.load("ort/cpu")
    attribute = small()
    attribute.graph.node[0].domain = "own"
    attribute.opset_import.append(helper.make_opsetid("own", 1))
    attribute.graph.node[0].attribute.add(name="what")
    with pytest.raises(InputError, match="'what' of a Add node has no type"):
        lower(attribute, target)
    recursive = small()
    call = helper.make_node("f", ["p"], ["q"], domain="own")
    own = helper.make_opsetid("own", 1)
    recursive.functions.append(helper.make_function("own", "f", ["p"], ["q"], [call], [own]))
    recursive.opset_import.append(own)
    recursive.graph.node.append(helper.make_node("f", ["y"], ["z"], domain="own"))
    with pytest.raises(InputError, match="(?i)cyclic"):
        lower(recursive, target)


def calling(returned, body, names):
    """Return a model of one call, whose outputs are `names`, of a function of `x` that returns these values."""
    own = helper.make_opsetid("own", 1)
    call = helper.make_node("f", ["x"], names, domain="own")
    proto = whole_model([call], [value("x", (2, 4))], [value(name, (2, 4)) for name in names if name])
    proto.functions.append(helper.make_function("own", "f", ["p"], returned, body, [helper.make_opsetid("", 17)]))
    proto.opset_import.append(own)
    return proto


def test_a_call_may_leave_an_output_out():
    body = [helper.make_node("Neg", ["p"], ["a"]), helper.make_node("Relu", ["p"], ["b"])]
    proto = calling(["a", "b"], body, ["", "y"])
    assert_lowers_to_the_same(proto, "onnxjs-0.1.8/wasm", {"x": values(2, 4)})


def test_a_function_may_return_its_input_and_one_value_twice():
    body = [helper.make_node("Relu", ["p"], ["b"])]
    lowered = lower(calling(["p", "b", "b"], body, ["y", "z", "w"]), targets.load("onnxjs-0.1.8/wasm"))
    assert lowered
    inlined = [helper.make_node(op, ["x"], [name]) for op, name in (("Identity", "y"), ("Relu", "z"), ("Relu", "w"))]
    expected = whole_model(inlined, [value("x", (2, 4))], [value(name, (2, 4)) for name in "yzw"])
    assert_same_outputs(expected, lowered.model, {"x": values(2, 4)})
