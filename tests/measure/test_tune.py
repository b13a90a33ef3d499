"""`tune` in ONNX Runtime and in one browser engine, on one small stage of the style network."""

from __future__ import annotations

import functools
import json

import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.measure import tune
from fns_lab.rewrite.lower import lower
from fns_lab.rewrite.sites import KEEP
from fns_lab.runtimes import open_runner
from tests.rewrite.graphs import model, node, ops, values

BROWSER = "onnxjs-0.1.8/wasm"


@functools.cache
def stage(*, faces=2):
    """Upsampling, reflection, a 3x3 and a 9x9 convolution, at 13 x 17 pixels, opset 18."""
    constants = {
        "scales": np.array([1, 1, 2, 2], np.float32),
        "by_1": np.array([0, 0, 1, 1] * 2),
        "w1": values(8, 3, 3, 3),
        "by_4": np.array([0, 0, 4, 4] * 2),
        "w2": values(faces, 8, 9, 9),
    }
    nodes = [
        node("Resize", "x", "", "scales", "up", mode="nearest", coordinate_transformation_mode="asymmetric",
             nearest_mode="floor"),
        node("Pad", "up", "by_1", "padded", mode="reflect"),
        node("Conv", "padded", "w1", "conv"),
        node("Pad", "conv", "by_4", "wide", mode="reflect"),
        node("Conv", "wide", "w2", "y"),
    ]  # fmt: skip
    return model(nodes, (1, 3, 13, 17), constants)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("tune")


@pytest.fixture(scope="module")
def tuning(cache):
    return tune.tune(stage(), targets.load("ort/cpu"), runs=2, cache=cache)


def run(proto, target="ort/cpu"):
    with open_runner(proto, target) as runner:
        return runner.infer({"x": np.linspace(-1, 1, 3 * 13 * 17, dtype=np.float32).reshape(1, 3, 13, 17)})["y"]


def test_every_alternative_of_every_site_is_tried_and_one_is_chosen(tuning):
    assert tuning
    alternatives = {
        site.split()[0] + site.split(" to ")[1]: set(rows.alternative) for site, rows in tuning.tried.groupby("site")
    }
    assert alternatives["Conv1x2x26x34"] == {KEEP, "conv-split-kernel", "conv-winograd", "conv-bands"}
    assert {KEEP, "subpixel-upsample-conv", "subpixel-concat", "upsample-conv-transpose"} in alternatives.values()
    assert (tuning.tried.groupby("site").chosen.sum() >= 1).all()
    assert tuning.tried.right.all()
    assert (tuning.tried.ms > 0).all()


def test_the_tuned_model_is_valid_and_gives_the_same(tuning):
    onnx.checker.check_model(tuning.model, full_check=True)
    expected = run(stage())
    np.testing.assert_allclose(run(tuning.model), expected, rtol=0, atol=1e-5 * np.abs(expected).max())
    assert list(tuning.whole.model) == ["lowered", "tuned"]
    assert tuning.whole.right.all()
    assert tuning.chosen in ("lowered", "tuned")


def test_json_is_strict(tuning):
    loaded = json.loads(json.dumps(tuning.to_json(), allow_nan=False))
    assert loaded["supported"] is loaded["right"] is True
    assert {"target", "nodes_before", "nodes_after", "applied", "refused", "tried", "whole", "chosen"} <= set(loaded)
    assert set(loaded["tried"][0]) == set(tune.TRIED_COLUMNS)


def test_what_was_measured_before_is_read_back(tuning, cache, monkeypatch, capsys):
    def refuse_to_measure(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr(tune, "_measure_in_rounds", refuse_to_measure)
    again = tune.tune(stage(), targets.load("ort/cpu"), runs=2, cache=cache)
    assert again.tried.equals(tuning.tried)
    assert "alternatives" not in capsys.readouterr().err


def test_a_wrong_alternative_is_not_chosen(cache, monkeypatch):
    """A rule with a fault planted in it, the fastest of all."""
    from fns_lab.rewrite.rules.conv_split_kernel import ConvSplitKernel

    monkeypatch.setattr(ConvSplitKernel, "rewrite", lambda self, op, x, y: op.Neg(op.Conv(*y.producer().inputs)))
    result = tune.tune(stage(faces=1), targets.load("ort/cpu"), runs=1, cache=cache)
    row = result.tried[result.tried.alternative == "conv-split-kernel"].iloc[0]
    assert not row.right
    assert not row.chosen
    assert "off by" in row.fault
    assert result
    assert "Neg" not in ops(result.model)


def test_a_model_that_cannot_be_lowered_is_not_tuned(cache):
    result = tune.tune(
        model([node("RandomUniformLike", "x", "y")], (1, 3, 6, 8)), targets.load(BROWSER), runs=1, cache=cache
    )
    assert not result
    assert "1 RandomUniformLike" in str(result)
    assert not len(result.whole)


def test_lower_lists_all_alternatives_and_applies_a_choice():
    target = targets.load("onnxjs-0.1.8/cpu")
    lowering = lower(stage(), target, list_sites=True)
    pad = next(site for site in lowering.sites if site.label.startswith("Pad 1x8x26x34"))
    assert pad.alternatives == ["pad-gather", "pad-concat"]
    assert pad.places == ["wide"]
    chosen = lower(stage(), target, choices={pad.key: "pad-concat"})
    assert chosen.applied.set_index("rule")["count"]["pad-concat"] == 1


@pytest.mark.browser
def test_in_a_browser(cache):
    result = tune.tune(stage(), targets.load(BROWSER), runs=1, cache=cache)
    assert result
    assert {"pad-gather", "pad-concat", "conv-split-kernel"} <= set(result.tried.alternative)
    expected = run(stage())
    assert np.abs(run(result.model, BROWSER) - expected).max() < 1e-4 * np.abs(expected).max()
