"""`python -m benchmarks foreign`: files out of packages of a registry on this machine, lowered, run, and the page."""

from __future__ import annotations

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from onnx import TensorProto, helper, parser

from benchmarks import foreign
from benchmarks.foreign import models, page, runs
from benchmarks.foreign.models import ForeignModel, listed
from fns_lab.errors import MissingError
from tests.fetch.registries import serve_files

PATH = "owner/data/net.onnx"


@pytest.fixture
def folders(registry, monkeypatch, tmp_path):
    monkeypatch.setattr(models, "PACKAGES", tmp_path / "packages")
    monkeypatch.setattr(models, "FOLDER", tmp_path / "models")
    monkeypatch.setattr(runs, "KEPT", tmp_path / "runs.json")
    return registry


def model_bytes(op: str) -> bytes:
    """An op of the input, and an If that a flag decides, whose branches are the op's result and its negative."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 3]) for name in "xy")
    flag = helper.make_tensor_value_info("flag", TensorProto.BOOL, [])
    inner = helper.make_tensor_value_info("z", TensorProto.FLOAT, ["n", 3])
    branches = {
        f"{name}_branch": helper.make_graph([helper.make_node(inner_op, ["r"], ["z"])], name, [], [inner])
        for name, inner_op in (("then", "Identity"), ("else", "Neg"))
    }
    nodes = [helper.make_node(op, ["x"], ["r"]), helper.make_node("If", ["flag"], ["y"], **branches)]
    graph = helper.make_graph(nodes, "net", [x, flag], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8).SerializeToString()


def served(server, content: bytes, digest: str | None = None) -> ForeignModel:
    serve_files(server, "owner", "1.2.3", {PATH: content})
    return ForeignModel(
        name="a net",
        task="detection",
        exporter="onnx",
        registry="pip",
        package="owner",
        version="1.2.3",
        licence="MIT",
        files={PATH: digest or hashlib.sha256(content).hexdigest()},
        inputs={"x": {"shape": [4, 3]}, "flag": {"constant": 1}},
    )


def test_a_model_comes_out_of_its_package_and_runs(folders):
    foreign_model = served(folders, model_bytes("Tanh"))
    assert list(foreign_model.feeds()) == ["x"]
    result = foreign.run([foreign_model], ["ort/cpu"])
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    (row,) = result["rows"]
    assert (row["model"], row["target"], row["right"], row["stopped_by"]) == ("a net", "ort/cpu", True, "")
    assert row["error"] <= runs.RIGHT
    requests = len(folders.asked)
    assert foreign.run([foreign_model], ["ort/cpu"]) == result  # nothing is downloaded or run again
    assert len(folders.asked) == requests


def test_what_a_target_lacks_is_named_with_its_op(folders):
    row = runs.row(served(folders, model_bytes("Det")), "onnxjs-0.1.3/cpu")
    assert row["right"] is False
    assert "1 Det: " in row["stopped_by"]


def test_another_file_than_the_listed_one_is_refused(folders):
    with pytest.raises(MissingError, match="its SHA-256 is .*: delete it and run again"):
        served(folders, model_bytes("Tanh"), digest="0" * 64).model  # noqa: B018


def test_errors_count_against_the_range_and_a_nan_is_infinite():
    wanted = {"y": np.array([0.0, 10.0], np.float32)}
    assert runs.error_of({"y": np.array([0.0, 10.1], np.float32)}, wanted) == pytest.approx(0.01, rel=0.01)
    assert runs.error_of({"y": np.array([0.0, np.nan], np.float32)}, wanted) == np.inf
    assert runs.error_of({"y": np.array([0.0], np.float32)}, wanted) == np.inf


@pytest.mark.parametrize(
    ("body", "moves"),
    [("one = Constant<value = float {1.0}>() d = Sub(x, one) y = Sign(d)", 1.0), ("y = Add(x, x)", 0.0)],
    ids=["in steps", "smoothly"],
)
def test_how_far_a_model_moves_by_itself(body, moves):
    text = f'<ir_version: 8, opset_import: ["": 18]> g (float[2] x) => (float[2] y) {{ {body} }}'
    subject = SimpleNamespace(model=parser.parse_model(text), feeds=lambda: {"x": np.array([1, 2], np.float32)})
    assert runs.noise_of(subject, runs.expected(subject)) == pytest.approx(moves, abs=0.01)


def test_the_page_tells_right_wrong_failed_and_refused_apart():
    model = listed()[0]
    common = {"model": model.name, "before": 1, "after": 1, "ms": None, "noise": 0.0}
    rows = [
        common | {"target": "ort/cpu", "right": True, "error": 2e-7, "stopped_by": ""},
        common | {"target": "openvino/cpu", "right": True, "error": 0.01, "noise": 0.03, "stopped_by": ""},
        common | {"target": "tract/cpu", "right": False, "error": 0.5, "stopped_by": ""},
        common | {"target": "ort-web/wasm", "right": False, "error": None, "stopped_by": "the engine: a|b"},
        common | {"target": "onnxjs-0.1.3/cpu", "right": False, "error": None, "stopped_by": "1 If: no If"},
    ]
    text = page.text([model], rows)
    assert f"| {model.name} | 2e-07 | 1e-02 (3e-02) | **wrong** 5e-01 |" in text
    assert f"| {model.name} | **failed** |" in text
    assert f"| {model.name} | - |" in text
    assert "| `onnxjs-0.1.3/cpu` | 0 | 0 | 0 | 1 |" in text
    assert f"| {model.name} | `ort-web/wasm` | the engine: a\\|b |" in text


def test_the_list_is_complete():
    every = listed()
    assert len(every) >= 15
    assert len({model.name for model in every}) == len(every)
    for model in every:
        assert model.licence
        assert all(len(digest) == 64 for digest in model.files.values())
        assert all("shape" in entry or "constant" in entry for entry in model.inputs.values())
    assert {"tf2onnx", "paddle2onnx", "skl2onnx"} <= {model.exporter for model in every}
