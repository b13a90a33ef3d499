"""Weights in a file of their own: read where they are, lowered, compared and written without a copy in memory."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from fns_lab import models, targets, weights
from fns_lab.cli import GOOD, main
from fns_lab.errors import InputError
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import run_in
from tests import small_network as small


@pytest.fixture
def outside(tmp_path, monkeypatch):
    """A file whose weights lie beside it, read as if they were too large to be inside."""
    monkeypatch.setattr(weights, "LARGEST_INSIDE", 0)
    monkeypatch.setattr(weights, "SMALLEST_OUTSIDE", 0)
    path = tmp_path / "big.onnx"
    weights.save_outside(small.regular(), path)
    return path


def test_weights_stay_outside_and_the_model_runs_as_the_one_with_weights_inside(outside):
    model = models.load(outside)
    assert weights.are_outside(model)
    assert not any(tensor.raw_data for tensor in model.graph.initializer)
    assert weights.size_bytes(model) == sum(x.nbytes for x in small.weights().values())
    for name, x in weights.mapped(model):
        assert isinstance(x, np.memmap)
        np.testing.assert_array_equal(x, small.weights()[name])
    expected = small.run(small.regular(), small.feeds())["output"]
    for each in (model, weights.inside(model)):
        np.testing.assert_array_equal(run_in("ort/cpu")(each, small.feeds())["output"], expected)


def test_a_lowered_model_is_written_with_its_weights_outside_again(outside, tmp_path):
    lowering = lower(models.load(outside), targets.load("onnxjs-0.1.3/webgl"))
    assert lowering
    path = models.save(lowering.model, tmp_path / "lowered.onnx")
    assert path.with_name("lowered.onnx.data").stat().st_size >= weights.size_bytes(models.load(path)) > 0
    expected = small.run(small.regular(), small.feeds())["output"]
    actual = run_in("ort/cpu")(models.load(path), small.feeds())["output"]
    np.testing.assert_allclose(actual, expected, rtol=1e-4, atol=1e-3)


def test_the_commands_take_such_files(outside, tmp_path):
    np.savez(tmp_path / "x.npz", **small.feeds())
    lowered, x = str(tmp_path / "lowered.onnx"), str(tmp_path / "x.npz")
    assert main(["lower", str(outside), "--target", "ort/cpu", "-o", lowered]) == GOOD
    assert main(["compare", str(outside), lowered, "--input", x, "--truth", "float64"]) == GOOD
    assert main(["run", lowered, "--target", "ort/cpu", "--input", x, "-o", str(tmp_path / "y.npz")]) == GOOD


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("location", "../secret", "are outside the model's folder"),
        ("location", "/etc/passwd", "are outside the model's folder"),
        ("location", "none.data", "are missing: no file 'none.data'"),
        ("offset", "999999999", "are not whole"),
        ("length", "8", "are not whole"),
        ("offset", "first", "is not said"),
    ],
)
def test_weights_that_are_not_whole_or_elsewhere_are_refused(outside, key, value, said):
    model = onnx.load(outside, load_external_data=False)
    tensor = model.graph.initializer[0]
    entries = {entry.key: entry.value for entry in tensor.external_data} | {key: value}
    del tensor.external_data[:]
    for name, text in entries.items():
        tensor.external_data.add(key=name, value=text)
    outside.write_bytes(model.SerializeToString())
    with pytest.raises(InputError, match=f"big.onnx: .*{said}"):
        models.load(outside)


def test_small_types_and_scalars_keep_their_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "LARGEST_INSIDE", 0)
    monkeypatch.setattr(weights, "SMALLEST_OUTSIDE", 0)
    arrays = {"half": np.float16([1, 2.5]), "flag": np.array(True), "word": np.int8([[-3], [4]])}
    tensors = [numpy_helper.from_array(x, name) for name, x in arrays.items()]
    tensors.append(helper.make_tensor("nibbles", TensorProto.INT4, (3,), [1, -2, 7]))
    node = helper.make_node("Identity", ["half"], ["y"])
    output = helper.make_tensor_value_info("y", TensorProto.FLOAT16, (2,))
    model = helper.make_model(helper.make_graph([node], "g", [], [output], tensors))
    weights.save_outside(model, tmp_path / "m.onnx")
    for tensor in models.load(tmp_path / "m.onnx").graph.initializer:
        expected = numpy_helper.to_array(next(each for each in tensors if each.name == tensor.name))
        np.testing.assert_array_equal(weights.array(tensor), expected)
