"""Types and shapes that follow from a model's inputs."""

import numpy as np
import onnx
import onnx_ir as ir
import pytest
from onnx import TensorProto, helper

from fns_lab import targets
from fns_lab.opset.inference import infer_anew
from tests.rewrite.graphs import model, node, values

SHAPE = (1, 3, 6, 8)


def claiming(proto, **shapes):
    """Return the model with these shapes of float values stated, whatever is true."""
    del proto.graph.value_info[:]
    proto.graph.value_info.extend(
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    )
    return proto


def inferred(proto):
    """Return the shape of every value as text, by name."""
    read = ir.from_proto(proto)
    infer_anew(read)
    return {value.name: str(value.shape) for each in read.graph.all_nodes() for value in each.outputs}


def chain(shape):
    return model([node("Relu", "x", "a"), node("LRN", "a", "y", size=3)], shape)


@pytest.mark.parametrize("claim", [(7, 7), (9, 9, 9, 9), SHAPE, None])
def test_what_a_file_states_of_inner_values_gives_way_to_what_follows_from_its_inputs(claim):
    assert inferred(claiming(chain(SHAPE), a=claim, y=claim)) == dict.fromkeys(("a", "y"), "[1,3,6,8]")


def test_inner_sizes_of_a_traced_network_do_not_count_once_its_inputs_are_free():
    assert inferred(claiming(chain(("n", 3, 6, 8)), a=SHAPE))["a"] == "[n,3,6,8]"


def test_a_negative_size_is_free():
    assert inferred(chain((-1, 3, -1, 8)))["a"].count("-1") == 0
    assert not targets.check(chain((-1, 3, 6, 8)), targets.load("onnxjs-0.1.8/wasm"))  # wrong for several images


@pytest.mark.parametrize(
    ("shape", "expected"), [(SHAPE, "[1,3,6,9]"), (("n", 3, 6, 8), "[unk__0,unk__1,unk__2,unk__3]")]
)
def test_what_the_file_states_counts_where_nothing_follows(shape, expected):
    """After an op that onnx has no schema for, and where a shape is computed from the values of an input."""
    reshape = model(
        [node("Cast", "x", "i", to=TensorProto.INT64), node("Custom", "i", "s"), node("Reshape", "x", "s", "a"),
         node("Relu", "a", "y")],
        shape,
    )  # fmt: skip
    assert inferred(claiming(reshape, a=(1, 3, 6, 9), s=(4,)))["a"] == expected


def test_check_uses_the_shapes_that_follow():
    lrn = targets.load("onnxjs-0.1.8/wasm")
    assert targets.check(claiming(chain(SHAPE), a=(2, 3, 6, 8)), lrn)
    assert not targets.check(claiming(chain((2, 3, 6, 8)), a=SHAPE), lrn)
    unstated = chain(SHAPE)
    del unstated.graph.value_info[:]
    assert targets.check(unstated, lrn)


def test_a_weight_has_the_shape_of_its_tensor():
    proto = model([node("Gather", "x", "i", "y")], SHAPE, {"i": np.array([0, 0])})
    assert inferred(claiming(proto, i=(5, 5)))["y"] == "[2,3,6,8]"


def test_a_model_that_contradicts_itself_is_checked(caplog):
    wrong = model([node("Relu", "x", "y")], SHAPE)
    wrong.graph.node.insert(0, node("Concat", "x", "w", "z", axis=9))
    wrong.graph.initializer.append(onnx.numpy_helper.from_array(values(2, 2), "w"))
    assert targets.check(wrong, targets.load("ort/cpu")) is not None
    assert not caplog.records


def test_the_model_stays_as_it_is():
    proto = claiming(chain((-1, 3, 6, 8)), a=SHAPE)
    before = proto.SerializeToString(deterministic=True)
    targets.check(proto, targets.load("ort/cpu"))
    assert proto.SerializeToString(deterministic=True) == before


def test_an_stft_that_does_not_say_so_is_one_sided():
    constants = {"step": np.array(4), "window": np.ones(8, np.float32)}
    proto = model([helper.make_node("STFT", ["x", "step", "window"], ["y"])], (1, 32, 1), constants=constants, opset=17)
    assert inferred(proto) == {"y": "[1,7,5,2]"}
