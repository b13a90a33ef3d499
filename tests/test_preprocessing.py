"""How a photograph becomes an input: what is stored in a model is what every command does, and it is said."""

from __future__ import annotations

import json

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from PIL import Image

from fns_lab import images, models, targets
from fns_lab.cli import BAD_INPUT, GOOD, main
from fns_lab.cli.arrays import load_feeds
from fns_lab.errors import InputError
from fns_lab.preprocessing import KEY, Preprocessing, embedded, of_model, store
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import run_in

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
SETTINGS = Preprocessing(scale=1 / 255, mean=MEAN, std=STD, layout="NHWC", resize="pad")


@pytest.fixture
def photo(tmp_path):
    path = tmp_path / "photo.png"
    pixels = np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def doubling(shape):
    """Return a model that adds its input to itself, and its path's parent is the caller's business."""
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name in ("x", "y"))
    graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubling", [x], [y])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def test_the_formula_holds_per_channel_in_either_layout(photo):
    pixels = images.load(photo)
    expected = (pixels / 255 - np.reshape(MEAN, (1, 3, 1, 1))) / np.reshape(STD, (1, 3, 1, 1))
    x, _ = SETTINGS.load(photo, (1, "h", "w", 3))
    np.testing.assert_allclose(x, expected.transpose(0, 2, 3, 1), atol=1e-5)
    x, _ = SETTINGS.changed({"layout": "NCHW"}).load(photo, (1, 3, 40, 60))
    np.testing.assert_allclose(x, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("resize", "said"),
    [
        ("crop", "40x60 scaled and cut to 32x32"),
        ("fit", "40x60 fitted into 32x32"),
        ("pad", "40x60 scaled and padded to"),
    ],
)
def test_each_way_to_a_size_is_said_and_differs_at_the_border(photo, resize, said):
    x, done = Preprocessing(resize=resize).load(photo, (1, 3, 32, 32))
    assert done.startswith(said)
    assert x.shape == (1, 3, 32, 32)
    assert (x[:, :, 0].max() == 0) == (resize == "pad")
    assert Preprocessing(resize=resize).load(photo, (1, 3, 40, 60))[1] == "40x60"


def test_a_grey_model_gets_one_channel(photo):
    x, _ = Preprocessing().load(photo, (1, 1, 40, 60))
    assert x.shape == (1, 1, 40, 60)
    assert x.std() > 1


def test_the_metadata_outlives_a_lowering_and_tells_every_command_what_to_do(photo, tmp_path, capsys):
    model = store(doubling((1, 32, 32, 3)), {"x": SETTINGS})
    lowered = lower(model, targets.load("onnxjs-0.1.8/wasm")).model
    assert of_model(lowered) == of_model(model) == {"x": SETTINGS}
    path, out = models.save(lowered, tmp_path / "m.onnx"), tmp_path / "y.npy"
    assert main(["run", str(path), "--target", "ort/cpu", "--input", str(photo), "-o", str(out)]) == GOOD
    assert f"{photo}: 40x60 scaled and padded to 32x32, values -2.12 to " in capsys.readouterr().err
    np.testing.assert_allclose(np.load(out), 2 * SETTINGS.load(photo, (1, 32, 32, 3))[0], atol=1e-6)
    changed = load_feeds([str(photo)], lowered, {"resize": "fit", "std": (1.0,)})["x"]
    expected = SETTINGS.changed({"resize": "fit", "std": (1.0,)}).load(photo, (1, 32, 32, 3))[0]
    np.testing.assert_array_equal(changed, expected)


@pytest.mark.parametrize(("layout", "shape"), [("NCHW", (1, 3, 40, 60)), ("NHWC", (1, 40, 60, 3))])
def test_a_model_can_do_its_preprocessing_itself(photo, layout, shape):
    settings = SETTINGS.changed({"layout": layout})
    model = store(doubling(shape), {"x": settings})
    itself = embedded(model)
    onnx.checker.check_model(itself, full_check=True)
    assert models.input_shapes(itself) == {"x.pixels": (1, 3, 40, 60)}
    expected = run_in("ort/cpu")(model, {"x": settings.load(photo, shape)[0]})["y"]
    actual = run_in("ort/cpu")(itself, {"x.pixels": images.load(photo)})["y"]
    np.testing.assert_allclose(actual, expected, atol=1e-5)
    plain = doubling(shape)
    assert embedded(plain) is plain


@pytest.mark.parametrize(
    "options", ["--scale 0", "--mean 1,2", "--std 0", "--layout HWC", "--scale big", "--fit --crop", "--mean inf"]
)
def test_settings_that_make_no_sense_are_refused(photo, tmp_path, capsys, options):
    path = models.save(doubling((1, 3, 32, 32)), tmp_path / "m.onnx")
    command = ["run", str(path), "--target", "ort/cpu", "--input", str(photo), "-o", str(tmp_path / "y.npy")]
    assert main([*command, *options.split()]) == BAD_INPUT
    assert capsys.readouterr().err.count("\n") == 1
    assert not (tmp_path / "y.npy").exists()


@pytest.mark.parametrize("text", ["{", "[]", json.dumps({"x": {"scale": "much"}}), json.dumps({"x": {"std": [0]}})])
def test_metadata_that_is_broken_is_refused(text):
    model = doubling((1, 3, 8, 8))
    model.metadata_props.append(onnx.StringStringEntryProto(key=KEY, value=text))
    with pytest.raises(InputError):
        of_model(model)


def test_several_inputs_are_given_by_name_or_drawn(tmp_path):
    values = [
        helper.make_tensor_value_info("a", TensorProto.FLOAT, (2, 3)),
        helper.make_tensor_value_info("ids", TensorProto.INT64, (4,)),
    ]
    outputs = [helper.make_tensor_value_info("y", TensorProto.FLOAT, (2, 3))]
    graph = helper.make_graph([helper.make_node("Relu", ["a"], ["y"])], "two", values, outputs)
    model = helper.make_model(graph)
    np.save(tmp_path / "a.npy", np.ones((2, 3), np.float32))
    feeds = load_feeds([f"a={tmp_path / 'a.npy'}", "ids=4:int64"], model)
    assert feeds["a"].sum() == 6
    assert (feeds["ids"].dtype, feeds["ids"].shape) == (np.int64, (4,))
    with pytest.raises(InputError, match=r"the model has 2 inputs \(a, ids\); give an \.npz, or NAME="):
        load_feeds(["2x3"], model)
