"""Engines of another version beside the installed one: fetched by pip and npm, and run."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import TensorProto, helper

from fns_lab import paths
from fns_lab.cli import BAD_INPUT, GOOD, MISSING, main
from fns_lab.errors import MissingError
from fns_lab.fetch import packages
from fns_lab.fetch.packages import Registry
from fns_lab.runtimes import open_runner
from fns_lab.runtimes.engines import NODE_MODULES, engine_for
from fns_lab.targets import load
from tests.fetch.archives import is_one_line
from tests.fetch.registries import serve_npm, serve_wheel

X = np.array([[-1.5, 2.5]], np.float32)


@pytest.fixture
def npm_registry(registry):
    if not (NODE_MODULES / "onnxjs-0.1.8").is_dir():
        pytest.skip("the npm engines are not installed: run `make setup`")
    serve_npm(registry, "onnxjs", dict.fromkeys(["0.1.10", "0.1.9", "0.2.0-dev.1"], "onnxjs-0.1.8"))
    return registry


def relu():
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, X.shape) for name in "xy")
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "relu", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 7)], ir_version=3)


def test_another_version_from_pip_runs_in_a_process_that_imports_it(registry, capsys):
    pytest.importorskip("tract")
    serve_wheel(registry, "tract", "0.0.1")
    target = load("tract@0.0.1/cpu")
    with pytest.raises(MissingError, match="0.0.1 wanted; run `fns-lab fetch engine tract@0.0.1`"):
        open_runner(relu(), target)
    assert main(["fetch", "engine", "tract@0.0.1"]) == GOOD
    folder = paths.ENGINES / "tract@0.0.1"
    assert capsys.readouterr().out == f"{folder}\n"
    with open_runner(relu(), target) as runner:
        np.testing.assert_array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))
        loaded = (folder / "tract").resolve()
        assert str(loaded) in _mapped_files(runner)
    requests = len(registry.asked)
    assert main(["fetch", "engine", "tract@0.0.1"]) == GOOD
    assert len(registry.asked) == requests


def _mapped_files(runner) -> str:
    """Return the files that the engine's process has mapped, the engine's library among them."""
    with open(f"/proc/{runner._process._process.pid}/maps", encoding="utf-8") as maps:
        return maps.read()


@pytest.mark.browser
def test_another_version_from_npm_is_served_to_the_page(npm_registry):
    target = load("onnxjs@0.1.9/cpu")
    assert main(["fetch", "engine", "onnxjs@0.1.9"]) == GOOD
    assert engine_for(target).script == paths.ENGINES / "onnxjs@0.1.9" / "dist" / "onnx.min.js"
    with open_runner(relu(), target) as runner:
        np.testing.assert_array_equal(runner.infer({"x": X})["y"], np.maximum(X, 0))


def test_what_was_fetched_is_listed_as_not_measured(npm_registry, capsys):
    main(["fetch", "engine", "onnxjs@0.1.9"])
    capsys.readouterr()
    assert main(["targets"]) == GOOD
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert "onnxjs@0.1.9/wasm 0.1.9 not measured: the table of onnxjs-0.1.8/wasm" in lines
    assert "onnxjs-0.1.8/wasm 0.1.8 measured" in lines


def test_released_versions_are_in_order_and_without_previews(npm_registry):
    assert packages.released(Registry.NPM, "onnxjs") == ["0.1.9", "0.1.10"]


@pytest.mark.parametrize("spec", ["onnxjs@0.1.7", "tract@0.0.2"])
def test_a_version_that_the_registry_lacks_is_one_line_and_leaves_nothing(npm_registry, capsys, spec):
    assert main(["fetch", "engine", spec]) == MISSING
    err = capsys.readouterr().err.rpartition("\r")[2]
    assert is_one_line(err)
    assert err.startswith(f"fns-lab: {spec}: cannot be had from the registry: ")
    assert list(paths.ENGINES.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("engine", "give PACKAGE@VERSION, such as"),
        ("engine numpy@1.2.3", "the packages are onnxruntime-web, onnxjs, "),
        ("engine onnxruntime-web@1.22", "give the whole version"),
        ("engine onnxruntime-web", "give PACKAGE@VERSION"),
        ("engine onnxjs@0.1.9 -o somewhere", "--output and --from are not for engines"),
    ],
)
def test_bad_usage_is_one_line(capsys, line, said):
    assert main(["fetch", *line.split()]) == BAD_INPUT
    err = capsys.readouterr().err
    assert is_one_line(err)
    assert said in err
