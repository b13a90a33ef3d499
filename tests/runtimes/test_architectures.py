"""Public networks in the real engine; `make bench` does the same for all of them and for more targets."""

import functools
import json

import pytest

from benchmarks import architectures, runs
from fns_lab.cli import GOOD

pytestmark = pytest.mark.browser


@pytest.fixture(autouse=True)
def nothing_kept(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "KEPT", tmp_path / "runs.json")


@pytest.mark.parametrize("name", ["squeezenet1_1", "mobilenet_v3_small", "vit"])
def test_a_public_network_runs_lowered(name):
    (row,) = architectures.run([name], ["onnxjs-0.1.8/wasm"])["rows"]
    assert row["right"], row
    assert row["error"] < 1e-5
    assert row["after"] >= row["before"]


def test_what_stops_a_network_is_named(monkeypatch):
    without_rules = functools.partial(runs.lower, rules=())
    monkeypatch.setattr(runs, "lower", without_rules)
    (row,) = architectures.run(["mobilenet_v3_small"], ["onnxjs-0.1.8/wasm"])["rows"]
    assert not row["right"]
    assert "HardSwish" in row["stopped_by"]


@pytest.mark.slow
def test_a_detector_agrees_with_pytorch_module_by_module(cli, tmp_path):
    network, path, target = "fns_lab.nets.examples:ssdlite", tmp_path / "ssdlite.onnx", "onnxjs-0.1.8/wasm"
    code, out, err = cli("export", network, "--input", "x=1x3x64x96", "--target", target, "-o", path)
    assert code == GOOD, out + err
    code, out, err = cli("compare", network, path, "--target-b", target, "--json")
    assert code == GOOD, out + err
    values = {row["value"] for row in json.loads(out)["ops"]}
    assert {"bbox_regression", "cls_logits"} < values
    assert len(values) > 100
