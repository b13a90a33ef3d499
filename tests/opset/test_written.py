"""How single nodes are written at older opsets, and why others are refused, where engines show no difference.

Engines run an older node as the newer text says, so that a value which the older text leaves open passes there.
"""

import re

import numpy as np
import onnx_ir as ir
import pytest
from onnx import helper, numpy_helper

from fns_lab import targets
from fns_lab.opset.convert import ConversionError, convert, is_written_alike
from fns_lab.opset.nodes import NodeError, from_the_front
from fns_lab.rewrite.lower import lower
from tests.opset.generated import Case, Constant, floats, ints, numbers, scalar
from tests.rewrite.graphs import EXACT, assert_same, model, node, values

IMAGE = numbers(1, 3, 6, 7)


def node_of(case: Case, opset: int) -> ir.Node:
    return ir.from_proto(case.model(opset)).graph[0]


def drawn(op, *inputs, outputs=("y",), **attributes) -> Case:
    return Case(op, inputs, outputs, attributes)


WRITTEN = {
    "axes of Unsqueeze count in the output": (drawn("Unsqueeze", numbers(2, 3, 4), axes=[-1]), 12, 10, {"axes": [3]}),
    "axes of Squeeze are stated": (drawn("Squeeze", numbers(1, 3, 1)), 11, 7, {"axes": [0, 2]}),
    "axes of Squeeze are stated at its own opset": (drawn("Squeeze", numbers(1, 3, 1)), 7, 7, {"axes": [0, 2]}),
    "axes of Squeeze are in order": (drawn("Squeeze", numbers(1, 3, 1), ints(-1, 0)), 13, 7, {"axes": [0, 2]}),
    "axis of OneHot counts in the output": (
        drawn("OneHot", ints(1, 0), ints(4), floats(0, 1), axis=-2), 11, 9, {"axis": 0}
    ),
    "Softmax before axes of size 1": (drawn("Softmax", numbers(2, 3, 1), axis=-2), 13, 7, {"axis": 1}),
    "a default that changed is stated": (
        drawn("Selu", numbers(3)), 6, 1, {"alpha": 1.6732631921768188, "gamma": 1.0507010221481323}
    ),
    "Split in uneven parts": (
        drawn("Split", numbers(5, 2), outputs=("a", "b"), num_outputs=2), 18, 11, {"split": [3, 2]}
    ),
    "padding that counts": (
        drawn("AveragePool", numbers(1, 2, 7), kernel_shape=[3], strides=[3], ceil_mode=1, count_include_pad=1),
        18, 7, {"kernel_shape": [3], "strides": [3], "pads": [0, 2]},
    ),
    "GridSample's modes have other names": (
        drawn("GridSample", IMAGE, numbers(1, 2, 2, 2), mode="cubic"), 20, 16, {"mode": "bicubic"}
    ),
    "the axis of DFT": (drawn("DFT", numbers(1, 2, 3, 4, 1)), 20, 17, {"axis": 3}),
}  # fmt: skip


@pytest.mark.parametrize("name", WRITTEN)
def test_attributes(name):
    case, opset, to_opset, expected = WRITTEN[name]
    spec = convert(node_of(case, opset), opset, to_opset)
    stated = {key: attribute.value for key, attribute in spec.attributes.items()}
    assert {key: list(value) if isinstance(value, tuple) else value for key, value in stated.items()} == expected


DOUBLES = (numbers(2, 3, dtype=np.float64), numbers(3, 2, dtype=np.float64))
INPUTS = {
    "indices of Gather": (drawn("Gather", numbers(2, 5), ints(-1, 2), axis=1), 11, 7, 1, [4, 2]),
    "axes of Slice": (drawn("Slice", numbers(2, 5), ints(1), ints(3), ints(-1)), 11, 10, 3, [1]),
    "C of Gemm, of the type of A": (drawn("Gemm", *DOUBLES), 11, 9, 2, [0.0]),
    "roi of Resize": (drawn("Resize", IMAGE, None, floats(1, 1, 2, 2)), 13, 11, 1, []),
    "sizes of Split": (drawn("Split", numbers(5), outputs=("", "b"), num_outputs=2), 18, 13, 1, [3, 2]),
}


@pytest.mark.parametrize("name", INPUTS)
def test_a_new_constant(name):
    case, opset, to_opset, index, expected = INPUTS[name]
    written = node_of(case, opset)
    value = convert(written, opset, to_opset).inputs[index]
    assert value.const_value.numpy().tolist() == expected
    assert value.name.startswith(("y.", "b."))
    if name.startswith("C of Gemm"):
        assert value.dtype == ir.DataType.DOUBLE


CONV_TRANSPOSE = (IMAGE, Constant(numbers(3, 2, 3, 3)))
REFUSED = {
    "derives its pads": (drawn("ConvTranspose", *CONV_TRANSPOSE, auto_pad="SAME_UPPER"), 11, 7),
    "derives its pads otherwise": (drawn("ConvTranspose", *CONV_TRANSPOSE, output_shape=[7, 8]), 11, 7),
    "scalar scale only": (
        drawn("QuantizeLinear", numbers(2, 3), floats(1, 2, 3), ints(1, 2, 3, dtype=np.int8)), 13, 10
    ),
    "half a pixel": (drawn("RoiAlign", IMAGE, Constant(numbers(1, 4)), ints(0)), 16, 10),
    "integers only": (drawn("Mod", numbers(3), numbers(3)), 28, 13),
    "no mode 'wrap'": (drawn("Pad", numbers(3), ints(1, 1), mode="wrap"), 19, 18),
    "no reduction 'max'": (
        drawn("ScatterElements", numbers(3), np.array([1]), numbers(1), reduction="max"), 18, 16
    ),
    "half_pixel_symmetric": (
        drawn("Resize", IMAGE, None, floats(1, 1, 2, 2), coordinate_transformation_mode="half_pixel_symmetric"), 19, 18
    ),
    "keep the aspect ratio": (
        drawn("Resize", IMAGE, None, None, ints(1, 3, 12, 14), keep_aspect_ratio_policy="not_larger"), 18, 9
    ),
    "float32 of an attribute": (drawn("Pad", DOUBLES[0], ints(1, 1, 1, 1), scalar(0.1, np.float64)), 11, 10),
    "range of float32": (drawn("Clip", DOUBLES[0], scalar(0, np.float64)), 11, 10),
    "min above max": (drawn("Clip", numbers(3), scalar(2), scalar(1)), 12, 11),
    "mask of Dropout": (drawn("Dropout", numbers(3), outputs=("y", "mask")), 12, 10),
    "does not give tensor(bool)": (drawn("Dropout", numbers(3), outputs=("y", "mask")), 11, 7),
    "does not give tensor(bfloat16)": (drawn("Cast", numbers(3), to=16), 13, 9),
    "together with tensor(double)": (drawn("Pow", numbers(3), scalar(2, np.float64)), 12, 11),
    "lies in its padding": (
        drawn("MaxPool", numbers(1, 1, 6, 6), kernel_shape=[2, 2], strides=[3, 6], ceil_mode=1), 22, 21
    ),
    "of negative indices": (drawn("OneHot", ints(-1, 0), ints(4), floats(0, 1)), 11, 9),
    "of OneHot is computed": (drawn("OneHot", np.array([1, 0]), ints(4), floats(0, 1)), 11, 9),
    "written differently from opset 13 on": (drawn("Softmax", numbers(2, 3, 4), axis=1), 12, 13),
    "changed its meaning at opset 7": (drawn("Dropout", numbers(3)), 7, 6),
    "empty list of axes": (drawn("Squeeze", numbers(1, 3), Constant(np.zeros(0, np.int64))), 13, 11),
    "Split of 5 into 4": (drawn("Split", numbers(5), outputs=("a", "b", "c", "d"), num_outputs=4), 18, 11),
}  # fmt: skip


@pytest.mark.parametrize("reason", REFUSED)
def test_refusals(reason):
    case, opset, to_opset = REFUSED[reason]
    with pytest.raises(NodeError, match=re.escape(reason)):
        convert(node_of(case, opset), opset, to_opset)


def test_an_axis_out_of_range_is_refused():
    assert [from_the_front(axis, 3) for axis in (-3, -1, 0, 2)] == [0, 2, 0, 2]
    for axis, dimensions in ((3, 3), (-4, 3), (-1, 0)):
        with pytest.raises(NodeError, match=f"axis {axis} of a value of {dimensions} dimensions"):
            from_the_front(axis, dimensions)


@pytest.mark.parametrize("target", ["onnxjs-0.1.3/webgl", "onnxjs-0.1.8/cpu", "ort-web/webgl"])
@pytest.mark.parametrize("opset", [7, 11, 13, 21])
def test_lower_states_the_axes_of_a_squeeze(target, opset):
    before = model([node("Squeeze", "x", "y")], (1, 3, 1), opset=opset)
    lowered = lower(before, targets.load(target))
    assert lowered, str(lowered)
    assert [list(a.ints) for a in lowered.model.graph.node[0].attribute] == [[0, 2]]
    assert_same(before, lowered.model, values(1, 3, 1), EXACT)


def test_a_squeeze_of_unknown_sizes_stays_without_axes():
    case = drawn("Squeeze", numbers(1, 3))
    squeeze = node_of(case, 11)
    squeeze.inputs[0].shape = ir.Shape(["n", 3])
    assert not convert(squeeze, 11, 7).attributes


def test_inputs_of_the_same_unnamed_sizes_may_differ():
    total = node_of(drawn("Sum", numbers(2, 3), numbers(2, 3)), 8)
    for value, names in zip(total.inputs, ((None, 3), (None, 3)), strict=True):
        value.shape = ir.Shape(names)
    with pytest.raises(ConversionError, match="differ in shape"):
        convert(total, 8, 7)
    for value in total.inputs:
        value.shape = ir.Shape(["n", 3])
    assert convert(total, 8, 7).op_type == "Sum"


def test_a_node_is_written_alike_at_its_own_opset():
    assert is_written_alike(node_of(drawn("Squeeze", numbers(1, 3)), 7), 7, 7)
    assert not is_written_alike(node_of(drawn("Squeeze", numbers(1, 3)), 11), 11, 7)


def test_a_value_in_a_sequence_has_no_place_in_an_older_identity():
    graph = helper.make_graph(
        [helper.make_node("SequenceConstruct", ["x"], ["s"]), helper.make_node("Identity", ["s"], ["y"])], "g",
        [helper.make_tensor_value_info("x", 1, [2])],
        [helper.make_tensor_sequence_value_info("y", 1, [2])],
        [numpy_helper.from_array(np.zeros(1), "unused")],
        value_info=[helper.make_tensor_sequence_value_info("s", 1, [2])],
    )  # fmt: skip
    identity = ir.from_proto(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)])).graph[1]
    with pytest.raises(ConversionError, match=r"does not take seq\(tensor\(float\)\) at opset 13"):
        convert(identity, 14, 13)
