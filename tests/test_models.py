"""Models as files and graphs: what is refused, and what the graph helpers say of a small model at two opsets."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import models
from fns_lab.errors import InputError

H, W = 5, 7


def small_model(opset: int, ir_version: int) -> onnx.ModelProto:
    """input (2, 3, H, W) -> Conv -> Relu -> Add, beside a Shape of the Relu: five values, one of them int64."""
    rng = np.random.default_rng(0)
    weight = numpy_helper.from_array(rng.normal(size=(4, 3, 3, 3)).astype(np.float32), "weight")
    inputs = [helper.make_tensor_value_info("input", TensorProto.FLOAT, (2, 3, H, W))]
    if ir_version < 4:  # initializers are inputs too
        inputs.append(helper.make_tensor_value_info("weight", TensorProto.FLOAT, weight.dims))
    nodes = [
        helper.make_node("Conv", ["input", "weight"], ["conv"], pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["conv"], ["relu"]),
        helper.make_node("Shape", ["relu"], ["shape"]),
        helper.make_node("Constant", [], ["one"], value=numpy_helper.from_array(np.float32([1]))),
        helper.make_node("Add", ["relu", "one"], ["sum"]),
        helper.make_node("Relu", ["sum"], ["output"]),
    ]
    outputs = [helper.make_tensor_value_info("output", TensorProto.FLOAT, (2, 4, H, W))]
    graph = helper.make_graph(nodes, "small", inputs, outputs, [weight])
    return helper.make_model(graph, ir_version=ir_version, opset_imports=[helper.make_opsetid("", opset)])


@pytest.fixture(params=[(7, 3), (18, 10)], ids=["opset7-ir3", "opset18"])
def model(request) -> onnx.ModelProto:
    return small_model(*request.param)


def test_a_saved_model_reads_back_the_same(model, tmp_path):
    path = models.save(model, tmp_path / "small.onnx")
    assert models.load(path) == model
    assert [file.name for file in tmp_path.iterdir()] == ["small.onnx"]


def test_external_weights_are_read(model, tmp_path):
    path = tmp_path / "outside.onnx"
    outside = onnx.ModelProto()
    outside.CopyFrom(model)
    onnx.save_model(outside, path, save_as_external_data=True, location="weights.bin", size_threshold=0)
    loaded = models.load(path)
    weight = numpy_helper.to_array(model.graph.initializer[0])
    np.testing.assert_array_equal(numpy_helper.to_array(loaded.graph.initializer[0]), weight)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises(InputError, match="external weights"):
        models.load(path)


def test_inner_values_become_outputs_after_the_original_ones(model):
    before = model.SerializeToString()
    wide = models.with_outputs(model)
    assert [value.name for value in wide.graph.output] == ["output", "conv", "relu", "sum"]
    assert all(models.shape_of(value) == (2, 4, H, W) for value in wide.graph.output)
    assert model.SerializeToString() == before


def test_inner_values_run_in_onnxruntime(model):
    ort = pytest.importorskip("onnxruntime")
    session = ort.InferenceSession(models.with_outputs(model).SerializeToString(), providers=["CPUExecutionProvider"])
    x = np.random.default_rng(1).normal(size=(2, 3, H, W)).astype(np.float32)
    output, conv, relu, total = session.run(None, {"input": x})
    assert (conv < 0).any()
    np.testing.assert_array_equal(relu, np.maximum(conv, 0))
    np.testing.assert_array_equal(total, relu + 1)
    np.testing.assert_array_equal(output, total)


def test_named_values_once_each_in_the_order_given(model):
    wide = models.with_outputs(model, ["shape", "conv", "output", "conv"])
    assert [value.name for value in wide.graph.output] == ["output", "shape", "conv"]


def test_a_value_that_no_node_computes_names_the_nearest(model):
    with pytest.raises(InputError, match="'cnv'; the nearest is 'conv'"):
        models.with_outputs(model, ["cnv"])
    with pytest.raises(InputError, match="no node computes a value 'weight'"):
        models.with_outputs(model, ["weight"])


def test_values_after_an_unknown_op_are_skipped(model):
    model.graph.node[1].domain, model.graph.node[1].op_type = "elsewhere", "Strange"
    model.opset_import.append(helper.make_opsetid("elsewhere", 1))
    assert [value.name for value in models.with_outputs(model).graph.output] == ["output", "conv"]
    with pytest.raises(InputError, match="'relu': its type and shape are not known"):
        models.with_outputs(model, ["relu"])


def test_ops_are_counted_most_frequent_first(model):
    model.graph.node[2].domain = "elsewhere"
    counts = models.count_ops(model)
    assert counts == {"Relu": 2, "Conv": 1, "elsewhere::Shape": 1, "Constant": 1, "Add": 1}
    assert next(iter(counts)) == "Relu"


def test_ops_inside_branches_are_counted():
    branch = [helper.make_graph([helper.make_node(op, ["x"], [op])], op, [], [_float(op)]) for op in ("Relu", "Abs")]
    node = helper.make_node("If", ["choose"], ["y"], then_branch=branch[0], else_branch=branch[1])
    inputs = [helper.make_tensor_value_info("choose", TensorProto.BOOL, ()), _float("x")]
    graph = helper.make_graph([node], "branches", inputs, [_float("y")])
    assert models.count_ops(helper.make_model(graph)) == {"If": 1, "Relu": 1, "Abs": 1}


def test_initializers_are_no_inputs(model):
    assert models.input_shapes(model) == {"input": (2, 3, H, W)}


def test_dynamic_dimensions_keep_their_names(model):
    dims = model.graph.input[0].type.tensor_type.shape.dim
    dims[2].dim_param = "height"
    dims[3].Clear()
    assert models.input_shapes(model) == {"input": (2, 3, "height", "?")}
    model.graph.input[0].type.tensor_type.ClearField("shape")
    assert models.input_shapes(model) == {"input": ("...",)}


def test_every_file_cut_short_is_refused(model, tmp_path):
    data = model.SerializeToString()
    path = tmp_path / "cut.onnx"
    for size in range(len(data)):
        path.write_bytes(data[:size])
        with pytest.raises(InputError) as caught:
            models.load(path)
        assert str(caught.value).startswith(f"{path}: ")
        assert "\n" not in str(caught.value)


def test_what_is_no_model_is_refused_in_one_line(model, tmp_path):
    text = tmp_path / "text.onnx"
    text.write_text("A letter, and no model at all.\n" * 40)
    noise = tmp_path / "noise.onnx"
    noise.write_bytes(np.random.default_rng(0).bytes(4096))
    empty = tmp_path / "no_graph.onnx"
    empty.write_bytes(helper.make_model(helper.make_graph([], "empty", [], [])).SerializeToString())
    rows = {
        tmp_path / "nowhere.onnx": "no such file",
        tmp_path: "a folder",
        text: "a text file",
        noise: "not a whole ONNX model",
        empty: "holds no ONNX graph",
    }
    for path, reason in rows.items():
        with pytest.raises(InputError, match=reason) as caught:
            models.load(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)


def test_a_graph_that_cannot_run_is_refused(model, tmp_path):
    path = tmp_path / "broken.onnx"
    model.graph.node[4].input[0] = "gone"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=r"Add node .* reads 'gone'"):
        models.load(path)
    model.graph.node[4].input[0] = "relu"
    model.graph.output[0].name = "elsewhere"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="no node computes the output 'elsewhere'"):
        models.load(path)
    model.graph.output[0].name = "output"
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match="initializer 'weight' is broken"):
        models.load(path)


@pytest.mark.parametrize("text", ["small", "conv", "strides_of_it", "Shape", "free_height", "note"])
def test_text_that_is_not_utf8_is_refused(tmp_path, text):
    """The name of the graph, of a value, of an attribute, of an op, of a size, and a comment."""
    model, path = small_model(18, 10), tmp_path / "broken.onnx"
    model.graph.node[0].attribute.append(helper.make_attribute("strides_of_it", [1, 1]))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "free_height"
    model.graph.node[1].doc_string = "note"
    data = model.SerializeToString().replace(text.encode(), text[:-1].encode() + b"\xff")
    path.write_bytes(data)
    with pytest.raises(InputError, match=rf"its text b'{text[:-1]}\\xff' is not UTF-8$"):
        models.load(path)


def test_a_failed_save_leaves_nothing(model, tmp_path):
    with pytest.raises(InputError, match="create the folder first"):
        models.save(model, tmp_path / "no" / "small.onnx")
    assert not list(tmp_path.iterdir())


def _float(name: str) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, (2, 3))


@pytest.mark.parametrize(
    ("data_type", "size", "said"),
    [
        (TensorProto.FLOAT, 25, "holds 25 bytes, and its type and shape take 24"),
        (TensorProto.INT4, 4, "holds 4 bytes, and its type and shape take 3"),
        (TensorProto.UINT2, 3, "holds 3 bytes, and its type and shape take 2"),
        (99, 24, "is of the element type 99, which ONNX does not have"),
    ],
)
def test_numbers_that_are_too_many_or_of_no_type_are_refused(tmp_path, data_type, size, said):
    model = small_model(13, 7)
    model.graph.initializer.add(name="w", data_type=data_type, dims=[2, 3], raw_data=bytes(size))
    path = tmp_path / "m.onnx"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=f"initializer 'w' {said}"):
        models.load(path)
    tensor = model.graph.initializer.pop()
    model.graph.node[3].attribute[0].t.CopyFrom(tensor)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=f"Constant node '': its 'value' {said}"):
        models.load(path)
