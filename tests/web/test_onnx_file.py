"""ONNX files that the page reads and changes are read and changed as the onnx package does."""

from __future__ import annotations

import json
import subprocess

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from fns_lab import web
from fns_lab.runtimes import run_in
from fns_lab.views.site.models import SMALLEST_SHARED, Weights
from tests.runtimes.graphs import graph, image, node
from tests.web.programs import node as node_program

X = image(1, 3, 6, 8)
W = {"w": np.random.default_rng(0).normal(size=(4, 3, 5, 5)).astype(np.float32)}


@pytest.fixture
def model():
    nodes = [node("Conv", "x w", "c", kernel_shape=[5, 5], pads=[2, 2, 2, 2]), node("Relu", "c", "y")]
    model = graph(nodes, {"x": X}, W, outputs={"y": (1, 4, 6, 8)})
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_param = "height"
    return model


def in_node(script, folder):
    """Run a module that has onnx_file.js as `file`, and may read and write in `folder`; return what it prints."""
    address = (web.HERE / "onnx_file.js").as_uri()
    head = f'import {{ readFileSync, writeFileSync }} from "node:fs";\nimport * as file from "{address}";\n'
    path = folder / "script.mjs"
    path.write_text(head + script, encoding="utf-8")
    result = subprocess.run([node_program(), path], cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_file_says_what_it_is(model, tmp_path):
    onnx.save(model, tmp_path / "m.onnx")
    info = json.loads(in_node('console.log(JSON.stringify(file.readModel(readFileSync("m.onnx"))));', tmp_path))
    assert info["irVersion"] == 3 and info["opsets"] == {"": 7}
    assert info["inputs"] == [{"name": "x", "type": "float32", "dims": [1, 3, "height", 8]}]
    assert info["external"] == []
    assert info["outputs"] == [{"name": "y", "type": "float32", "dims": [1, 4, 6, 8]}]
    assert [(n["op"], n["inputs"], n["outputs"]) for n in info["nodes"]] == [
        ("Conv", ["x", "w"], ["c"]), ("Relu", ["c"], ["y"]),
    ]  # fmt: skip


def test_files_in_which_weights_are_kept_are_named(model, tmp_path):
    onnx.save(model, tmp_path / "m.onnx", save_as_external_data=True, location="m.weights", size_threshold=0)
    info = json.loads(in_node('console.log(JSON.stringify(file.readModel(readFileSync("m.onnx"))));', tmp_path))
    assert info["external"] == ["m.weights"]


def test_shapes_and_outputs_are_written_and_nothing_else(model, tmp_path):
    onnx.save(model, tmp_path / "m.onnx")
    in_node(
        """const shaped = file.withInputShapes(readFileSync("m.onnx"), { x: [1, 3, 6, 8] });
writeFileSync("shaped.onnx", shaped);
writeFileSync("more.onnx", file.withOutputs(shaped, [{ name: "c", type: "float32", dims: [1, 4, 6, 8] }]));""",
        tmp_path,
    )
    shaped, more = onnx.load(tmp_path / "shaped.onnx"), onnx.load(tmp_path / "more.onnx")
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = 6
    assert shaped == model
    assert [output.name for output in more.graph.output] == ["y", "c"]
    onnx.checker.check_model(more)
    values = run_in("ort/cpu")(more, {"x": X})
    np.testing.assert_array_equal(np.maximum(values["c"], 0), values["y"])


def test_a_declared_size_is_changed_in_the_whole_file(model, tmp_path):
    onnx.save(onnx.shape_inference.infer_shapes(model), tmp_path / "m.onnx")
    in_node(
        'writeFileSync("m2.onnx", file.withInputShapes(readFileSync("m.onnx"), { x: [2, 3, 10, 12] }));',
        tmp_path,
    )
    resized, x = onnx.load(tmp_path / "m2.onnx"), image(2, 3, 10, 12)
    onnx.checker.check_model(resized, full_check=True)
    assert run_in("ort/cpu")(resized, {"x": x})["y"].shape == (2, 4, 10, 12)


def test_a_model_is_put_together_from_head_and_weights(model, tmp_path):
    weights = Weights()
    head, slices = weights.take(model)
    assert len(head) < SMALLEST_SHARED < len(weights.data)
    again, same = weights.take(model)
    assert (again, same) == (head, slices) and len(weights.data) < 2 * W["w"].nbytes
    (tmp_path / "head").write_bytes(head)
    (tmp_path / "weights").write_bytes(weights.data)
    in_node(
        'writeFileSync("m.onnx", file.joinedModel(readFileSync("head"), readFileSync("weights"), '
        f"{json.dumps(slices)}));",
        tmp_path,
    )
    joined = onnx.load(tmp_path / "m.onnx")
    assert joined.graph.node == model.graph.node
    np.testing.assert_array_equal(onnx.numpy_helper.to_array(joined.graph.initializer[0]), W["w"])


@pytest.mark.parametrize("data", [b"", b"\x08", bytes(range(200)), b"PK\x03\x04" * 20, b"\x3a\x7f\x01"])
def test_other_bytes_are_refused(data, tmp_path):
    (tmp_path / "m.onnx").write_bytes(data)
    script = """try { file.readModel(readFileSync("m.onnx")); console.log("read"); }
catch (error) { console.log(error.message); }"""
    assert "not an ONNX file" in in_node(script, tmp_path)


READ_TENSORS = """
import { readFileSync } from "node:fs";
import { namedTensors, readTensorFile } from "MODULE";
const files = process.argv.slice(1).map((path) => {
  const fileName = path.split("/").pop();
  return { fileName, tensor: readTensorFile(fileName, new Uint8Array(readFileSync(path))) };
});
const named = namedTensors(files, ["x", "ids"], ["y"]);
const plain = [...named.values()].map(({ name, type, dims, data }) => [name, type, dims, Array.from(data, Number)]);
console.log(JSON.stringify(plain));
"""


def read_tensors(*paths):
    module = (web.HERE / "tensor_files.js").as_uri()
    command = [node_program(), "--input-type=module", "-e", READ_TENSORS.replace("MODULE", module), *map(str, paths)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_tensors_are_read_from_both_kinds_of_files(tmp_path):
    x = np.arange(6, dtype=np.float32).reshape(1, 2, 3) / 4
    ids, y = np.array([3, -7, 2**40]), np.array([True, False])
    (tmp_path / "input_0.pb").write_bytes(numpy_helper.from_array(x, "other").SerializeToString())
    np.save(tmp_path / "ids.npy", ids)
    (tmp_path / "any.pb").write_bytes(numpy_helper.from_array(y, "y").SerializeToString())
    done = read_tensors(tmp_path / "input_0.pb", tmp_path / "ids.npy", tmp_path / "any.pb")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [
        ["x", "float32", [1, 2, 3], x.ravel().tolist()],
        ["ids", "int64", [3], ids.tolist()],
        ["y", "bool", [2], [1, 0]],
    ]


def test_a_file_that_holds_no_tensor_of_the_model_is_named(tmp_path):
    np.save(tmp_path / "z.npy", np.zeros(2, np.float32))
    assert "'z.npy' is no input or output of the model, which has x, ids, y" in read_tensors(tmp_path / "z.npy").stderr
    (tmp_path / "y.npy").write_bytes((tmp_path / "z.npy").read_bytes()[:-1])
    assert "'y.npy': cut short: not 2 float32" in read_tensors(tmp_path / "y.npy").stderr
    (tmp_path / "y.pb").write_bytes(b"some text")
    assert "'y.pb': not an ONNX file" in read_tensors(tmp_path / "y.pb").stderr
