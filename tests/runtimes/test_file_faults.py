"""Files whose nodes are right and that some engines do not load: `check` says of each what the engine does."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.errors import RuntimeFault
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import PIP_TARGETS

X = np.array([[-1.0, 2.0, 3.0], [4.0, -5.0, 6.0]], np.float32)
IN_A_BROWSER = ("onnxjs-0.1.4/cpu", "onnxjs-0.1.8/wasm", "ort-web/wasm", "ort-web/webgpu", "ort-web/webgl")
NAMES = [*PIP_TARGETS, *(pytest.param(name, marks=pytest.mark.browser) for name in IN_A_BROWSER)]


def info(name, shape=X.shape, element_type=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, element_type, shape)


def built(nodes, outputs, inner=()):
    graph = helper.make_graph(nodes, "test", [info("x")], outputs, value_info=inner)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 12)], ir_version=4)


def chain(inner=(), outputs=None, names=("first", "second")):
    nodes = [
        helper.make_node("Relu", ["x"], ["r"], name=names[0]),
        helper.make_node("Abs", ["r"], ["y"], name=names[1]),
    ]
    proto = built(nodes, outputs or [info("y")], inner)
    proto.opset_import[0].version, proto.ir_version = 7, 3
    return proto


def sparse():
    tensor = onnx.SparseTensorProto(dims=[3])
    tensor.values.CopyFrom(numpy_helper.from_array(np.array([1.5], np.float32), "w"))
    tensor.indices.CopyFrom(numpy_helper.from_array(np.array([1]), "indices"))
    return tensor


def with_sparse(nodes=()):
    proto = built([*nodes, helper.make_node("Add", ["x", "w"], ["y"])], [info("y")])
    if not nodes:
        proto.graph.sparse_initializer.append(sparse())
    return proto


def with_constant(shape=(), element_type=TensorProto.FLOAT, **value):
    nodes = [helper.make_node("Constant", [], ["w"], **value), helper.make_node("Relu", ["x"], ["y"])]
    return built(nodes, [info("y"), info("w", shape, element_type)])


def masked(*, raw):
    """Some columns of x, by a constant of booleans in `raw_data` or in `int32_data`."""
    mask = helper.make_tensor("m", TensorProto.BOOL, [3], b"\1\0\1" if raw else [True, False, True], raw=raw)
    nodes = [
        helper.make_node("Constant", [], ["m"], value=mask),
        helper.make_node("Cast", ["m"], ["f"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["x", "f"], ["y"]),
    ]
    return built(nodes, [info("y")])


FILES = {
    "raw constant": masked(raw=True),
    "typed constant": masked(raw=False),
    "repeated node names": chain(names=("same", "same")),
    "wrong inner shape": chain([info("r", (3, 2))]),
    "wrong inner rank": chain([info("r", (2, 3, 1))]),
    "wrong inner type": chain([info("r", element_type=TensorProto.DOUBLE)]),
    "wrong output shape": chain(outputs=[info("y", (3, 2))]),
    "wrong output type": chain(outputs=[info("y", element_type=TensorProto.DOUBLE)]),
    "input given out": chain(outputs=[info("y"), info("x")]),
    "sparse weight": with_sparse(),
    "sparse constant": with_sparse([helper.make_node("Constant", [], ["w"], sparse_value=sparse())]),
    "constant float": with_constant(value_float=1.0),
    "constant floats": with_constant((2,), value_floats=[1.0, 2.0]),
    "constant int": with_constant((), TensorProto.INT64, value_int=3),
    "constant ints": with_constant((2,), TensorProto.INT64, value_ints=[3, 4]),
}


@pytest.mark.sampled(7)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", FILES)
def test_check_says_which_files_an_engine_loads(file, name):
    supported = bool(targets.check(FILES[file], targets.load(name)))
    try:
        with open_runner(FILES[file], name) as runner:
            runner.infer({"x": X})
    except RuntimeFault:
        assert not supported
    else:
        assert supported


@pytest.mark.sampled(7)
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("file", FILES)
def test_lower_writes_a_file_that_the_engine_loads(file, name):
    lowered = lower(FILES[file], targets.load(name))
    if (file, name) == ("input given out", "tract/cpu"):
        assert "the output x is an input" in str(lowered.check)
        return
    assert lowered
    with open_runner(lowered.model, name) as runner:
        assert list(runner.infer({"x": X})) == [value.name for value in FILES[file].graph.output]
