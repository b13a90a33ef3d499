"""`compare --versions`, in engines that come from a registry on this machine."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab.cli import BAD_INPUT, GOOD, NO, main
from fns_lab.paths import ROOT
from tests.fetch.archives import is_one_line
from tests.fetch.registries import serve_npm

SOURCES = {"0.1.9": "onnxjs-0.1.8", "0.1.10": "onnxjs-0.1.8", "0.1.11": "onnxjs-0.1.3", "0.1.12": "onnxjs-0.1.3"}
"""0.1.3 fails where a node takes a computed value twice (onnxjs issue 53); on webgl its grouped Conv is wrong (198)."""


@pytest.fixture
def files(registry, tmp_path):
    """A model that is wrong in 0.1.3 and right in 0.1.8, its input, and the option's name."""
    if not (ROOT / "node_modules").is_dir():
        pytest.skip("the npm engines are not installed: run `make setup`")
    serve_npm(registry, "onnxjs", SOURCES)
    return arguments(tmp_path, helper.make_node("Conv", ["y", "k"], ["z"], group=4, kernel_shape=[2, 2]), size=4)


def arguments(folder, node, size):
    """Write a model, `node` between a Relu and a Sigmoid, and its input; return how they are given to the command."""
    shapes = {"x": [1, 4, 5, 5], "w": [1, 4, size, size], "k": [4, 1, 2, 2]}
    x, w, k = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items())
    weights = [numpy_helper.from_array(np.linspace(-0.2, 0.2, 16, dtype=np.float32).reshape(4, 1, 2, 2), "k")]
    nodes = [helper.make_node("Relu", ["x"], ["y"]), node, helper.make_node("Sigmoid", ["z"], ["w"])]
    graph = helper.make_graph(nodes, "three", [x, k], [w], weights)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)
    onnx.save(model, folder / "m.onnx")
    np.save(folder / "x.npy", np.linspace(-1, 4, 100, dtype=np.float32).reshape(1, 4, 5, 5))
    return [str(folder / "m.onnx"), str(folder / "m.onnx"), "--input", str(folder / "x.npy"), "--versions"]


@pytest.mark.browser
def test_the_two_neighbours_and_the_op_are_named(files, capsys):
    assert main(["compare", *files, "onnxjs/webgl:0.1.9..0.1"]) == NO
    out = capsys.readouterr().out
    assert out.startswith("onnxjs/webgl: 0.1.10 agrees, 0.1.11 differs: output 'w': ")
    assert "'z' introduced by Conv: this node gives a wrong result on correct inputs, only in engine B" in out
    assert out.endswith("; 4 of 4 versions run\n")
    assert main(["compare", *files, "onnxjs/webgl:0.1.9..0.1.12", "--json"]) == NO
    result = json.loads(capsys.readouterr().out)
    assert (result["agrees"], result["differs"], result["versions"]) == ("0.1.10", "0.1.11", list(SOURCES))
    assert [finding["ops"] for finding in result["comparison"]["introduced"]] == [["Conv"]]


@pytest.mark.slow
@pytest.mark.browser
def test_a_version_that_fails_differs_and_its_first_failing_node_is_named(files, tmp_path, capsys):
    twice = arguments(tmp_path, helper.make_node("Add", ["y", "y"], ["z"]), size=5)
    assert main(["compare", *twice, "onnxjs/cpu:0.1.9..0.1.12"]) == NO
    out = capsys.readouterr().out
    assert "0.1.10 agrees, 0.1.11 differs: it fails: onnxjs@0.1.11/cpu, model 'three' (3 nodes): " in out
    assert "; the first node that fails is Add 'z'; 4 of 4 versions run" in out


@pytest.mark.browser
def test_versions_that_agree_are_exit_0(files, capsys):
    assert main(["compare", *files, "onnxjs/cpu:0.1.9..0.1.10"]) == GOOD
    assert capsys.readouterr().out == "onnxjs/cpu: 0.1.10 agrees with 0.1.9; 2 of 2 versions run\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("onnxjs/cpu", "give RUNTIME/BACKEND:LOW..HIGH"),
        ("onnxjs/gpu:0.1..0.2", "unknown target"),
        ("onnxjs/cpu:0.1.10..0.1.10", "two released versions of onnxjs are needed, only 0.1.10 was found"),
        ("onnxjs/cpu:7..8", "none was found"),
    ],
)
def test_bad_usage_is_one_line(files, capsys, text, said):
    assert main(["compare", *files, text]) == BAD_INPUT
    err = capsys.readouterr().err
    assert is_one_line(err[err.index("fns-lab: ") :])  # before it, progress bars that were cleared
    assert said in err


def test_other_options_do_not_go_with_it(files, capsys):
    assert main(["compare", *files, "onnxjs/cpu:0.1.9..0.1.10", "--bisect"]) == BAD_INPUT
    assert "only --tolerance and --json can be given with it" in capsys.readouterr().err
