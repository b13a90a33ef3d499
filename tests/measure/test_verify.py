"""A lowered model is run beside its original, and a difference names the node."""

import dataclasses

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import targets
from fns_lab.measure import verify as verifying
from fns_lab.measure.verify import verify
from fns_lab.rewrite.lower import lower
from tests.rewrite.graphs import model, node, values
from tests.rewrite.whole_models import value, whole_model

TARGET = "onnxjs-0.1.3/cpu"


def lowered(proto, target=TARGET, **options):
    result = lower(proto, targets.load(target), **options)
    assert result, result.refused.to_string()
    return result


def network():
    nodes = [
        node("Conv", "x", "w", "c", pads=[1, 1, 1, 1]),
        node("Softplus", "c", "s"),
        node("GlobalMaxPool", "s", "y"),
    ]
    return model(nodes, (1, 3, 5, 7), {"w": values(4, 3, 3, 3)})


def test_a_right_model_is_verified():
    proto = network()
    found = verify(proto, lowered(proto))
    assert found.verified is True
    assert "2 drawn inputs" in str(found)


def test_a_wrong_model_is_not_and_its_first_wrong_value_is_named():
    proto = network()
    right = lowered(proto)
    wrong = onnx.ModelProto.FromString(right.model.SerializeToString())
    tensor = next(t for t in wrong.graph.initializer if t.name == "w")
    tensor.CopyFrom(numpy_helper.from_array(1.01 * numpy_helper.to_array(tensor), "w"))
    found = verify(proto, dataclasses.replace(right, model=wrong))
    assert found.verified is False
    assert "first at 'c' (Conv" in found.reason


def test_a_model_that_does_not_load_is_wrong():
    proto = network()
    right = lowered(proto)
    broken = onnx.ModelProto.FromString(right.model.SerializeToString())
    broken.graph.node[0].op_type = "NoSuchOp"
    assert verify(proto, dataclasses.replace(right, model=broken)).verified is False


@pytest.mark.parametrize(
    ("element_type", "op"),
    [
        (TensorProto.INT64, "Neg"),
        (TensorProto.UINT8, "BitwiseNot"),
        (TensorProto.BOOL, "Not"),
        (TensorProto.STRING, "Unique"),
        (TensorProto.FLOAT16, "Relu"),
        (TensorProto.DOUBLE, "Exp"),
    ],
)
def test_inputs_of_every_type_are_drawn(element_type, op):
    proto = whole_model([helper.make_node(op, ["x"], ["y"])], [value("x", ("n",), element_type)],
                        [value("y", ("m",), element_type)], opset=18)  # fmt: skip
    assert verify(proto, lowered(proto, "ort/cpu")).verified is True


def test_free_sizes_are_tried_until_the_original_runs():
    """A row must be 224 long, and `n` rows of the second input have the size that `n` has in the first."""
    nodes = [node("MatMul", "x", "w", "a"), node("Add", "a", "b", "y")]
    inputs = [value("x", ("n", "m")), value("b", ("n", 3))]
    proto = whole_model(nodes, inputs, [value("y", ("n", 3))], {"w": values(224, 3)})
    assert verify(proto, lowered(proto, "ort/cpu")).verified is True
    assert verify(proto, lowered(proto, "ort/cpu", shapes={"x": (2, 224)}), {"x": (2, 224)}).verified is True


def test_indices_are_small():
    nodes = [helper.make_node("Gather", ["w", "i"], ["y"])]
    proto = whole_model(nodes, [value("i", (5,), TensorProto.INT64)], [value("y", (5, 4))], {"w": values(2, 4)})
    assert verify(proto, lowered(proto)).verified is True


def test_what_cannot_be_verified_says_why(monkeypatch):
    unknown = whole_model([helper.make_node("Relu", ["x"], ["y"])], ["x"], ["y"])
    assert "no known rank" in verify(unknown, lowered(unknown)).reason
    sequence = helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, None)
    length = helper.make_node("SequenceLength", ["s"], ["y"])
    taken = whole_model([length], [sequence], [value("y", (), TensorProto.INT64)])
    assert "is a sequence" in verify(taken, lowered(taken, "ort/cpu")).reason
    proto = network()
    monkeypatch.setattr(verifying, "MOST_MACS", 100)
    found = verify(proto, lowered(proto))
    assert found.verified is None and "multiply-accumulates" in str(found)


def test_a_result_that_only_rounds_otherwise_is_verified():
    """The variance of equal values is rounding alone, which the normalization divides by."""
    proto = model([node("ReduceMean", "x", "m", axes=[2, 3]), node("Sub", "x", "m", "d"), node("Mul", "d", "far", "y")],
                  (1, 2, 16, 16), {"far": np.full(1, 1e7, np.float32)}, opset=13)  # fmt: skip
    assert verify(proto, lowered(proto)).verified is True
