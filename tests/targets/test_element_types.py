"""The element types that a target's ops take."""

import dataclasses

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import model, node

SHAPE = (1, 3, 6, 8)


def of_type(name, *nodes, opset=18, constants=None):
    """Return a model whose input has this element type."""
    proto = model(nodes, SHAPE, constants, opset=opset)
    proto.graph.input[0].type.tensor_type.elem_type = TensorProto.DataType.Value(name)
    proto.graph.output[0].ClearField("type")
    del proto.graph.value_info[:]
    return proto


def target(**fields):
    return dataclasses.replace(targets.load("ort/cpu"), **fields)


def reasons(proto, chosen):
    table = targets.check(proto, chosen).table
    return list(table[~table.supported].reason)


@pytest.mark.parametrize(("element_type", "takes"), [("FLOAT", True), ("DOUBLE", False), ("INT32", True)])
def test_types_of_a_target_and_of_an_op(element_type, takes):
    chosen = target(types=("FLOAT",), op_types={"Abs": ("FLOAT", "INT32")})
    expected = [] if takes else ["Abs of double; the cpu backend takes float, int32"]
    assert reasons(of_type(element_type, node("Abs", "x", "y")), chosen) == expected


def test_a_type_from_an_opset_on():
    chosen = target(op_types={"Clip": ("FLOAT", "DOUBLE 12+")})
    clip = node("Clip", "x", "y")
    assert reasons(of_type("DOUBLE", clip, opset=11), chosen) == ["Clip of double; the cpu backend takes float"]
    assert reasons(of_type("DOUBLE", clip, opset=12), chosen) == []


def test_axes_indices_and_conditions_do_not_count():
    floats = target(types=("FLOAT",))
    constants = {"i": np.array([0, 1]), "c": np.array(True), "s": np.array([-1, 8])}
    nodes = [node("Gather", "x", "i", "g", axis=3), node("Where", "c", "g", "g", "w"), node("Reshape", "w", "s", "r"),
             node("ArgMax", "r", "y")]  # fmt: skip
    assert reasons(of_type("FLOAT", *nodes, constants=constants), floats) == []


def test_both_ends_of_a_cast_count():
    cast = node("Cast", "x", "y", to=TensorProto.INT8)
    assert reasons(of_type("FLOAT", cast), target(types=("FLOAT",))) == ["Cast of int8; the cpu backend takes float"]


def test_an_op_of_booleans_alone_takes_them():
    proto = of_type("BOOL", node("Not", "x", "y"))
    assert reasons(proto, target(types=("FLOAT",))) == []
    assert reasons(proto, target(op_types={"Not": ()})) == ["Not of bool; the cpu backend takes none"]


def test_types_of_inner_values_follow_from_the_inputs():
    proto = of_type("FLOAT16", node("Relu", "x", "a"), node("Abs", "a", "y"))
    proto.graph.value_info.append(helper.make_tensor_value_info("a", TensorProto.FLOAT, SHAPE))
    chosen = target(op_types={"Abs": ("FLOAT",)}, refuses=())
    assert reasons(proto, chosen) == ["Abs of float16; the cpu backend takes float"]
    assert not lower(proto, chosen)
