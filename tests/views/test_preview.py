"""The style preview without a page: what it runs, shows, keeps loaded and reports."""

from __future__ import annotations

import base64
import re

import numpy as np
import pytest

from fns_lab import images, photos
from fns_lab.errors import InputError
from fns_lab.runtimes import open_runner
from fns_lab.views.widgets import StylePreview, preview
from tests.small_network import regular

SIZES = ((20, 28), (16, 24))


@pytest.fixture
def small():
    model = regular(n=1, h="h", w="w")
    chosen = StylePreview({"a": model, "b": model}, sizes=SIZES, engines=["ort/cpu", "onnxjs-0.1.8/wasm"])
    yield chosen
    chosen.close()


def shown(data):
    return base64.b64encode(data).decode()


def test_shows_the_output_of_the_engine(small):
    x = photos.load(photos.NAMES[0], size=SIZES[0])
    with open_runner(regular(n=1, h="h", w="w"), "ort/cpu") as runner:
        (y,) = runner.infer({"input": x}).values()
    assert np.array_equal(small.output, y)
    assert small.status.startswith("ort/cpu: 4 nodes, ran in ")
    assert len(small.history) == 1


def test_a_change_of_a_list_runs_again(small):
    before, image = small.output, small._output_image.value
    small.image.value = photos.NAMES[1]
    assert not np.array_equal(small.output, before)
    assert small._output_image.value != image
    small.size.value = SIZES[1]
    assert small.output.shape == (1, 3, *SIZES[1])
    assert len(small.history) == 3


def test_choose_sets_several_and_runs_once(small):
    assert small.choose(image=photos.NAMES[2], size=SIZES[1], network="b") is small
    assert len(small.history) == 2
    assert tuple(small.history.iloc[-1][["image", "network", "height", "width"]]) == (photos.NAMES[2], "b", *SIZES[1])


@pytest.mark.parametrize("wrong", [{"colour": "red"}, {"size": (1, 2)}, {"engine": "ort/tpu"}])
def test_choose_refuses_what_is_not_offered(small, wrong):
    with pytest.raises(InputError, match="offered|choose among"):
        small.choose(**wrong)
    assert len(small.history) == 1


def test_keeps_few_models_loaded(small, monkeypatch):
    monkeypatch.setattr(preview, "OPEN_RUNNERS", 2)
    for network in "ab":
        for size in SIZES:
            small.choose(network=network, size=size)
    assert len(small._loaded) == 2


def test_a_report_shows_both_images_and_the_choice(small):
    static = small._repr_mimebundle_()["text/html"]
    assert shown(small._input_image.value) in static
    assert shown(small._output_image.value) in static
    assert "astronaut · a · 20 x 28 · ort/cpu" in static
    assert "application/vnd.jupyter.widget-view+json" in small._repr_mimebundle_()
    assert not re.search(r"src='(?!data:)", static)


def test_a_file_given_by_its_path_is_offered(tmp_path):
    path = images.save(np.full((3, 30, 30), 200.0), tmp_path / "grey.png")
    preview_of_file = StylePreview(
        {"a": regular(n=1, h="h", w="w")}, image_paths={"grey": path}, sizes=SIZES, engines=["ort/cpu"]
    )
    assert preview_of_file.output.shape == (1, 3, *SIZES[0])
    preview_of_file.close()


def test_a_failure_is_shown_in_the_status_line(small, tmp_path):
    small._image_paths["coffee"] = tmp_path / "gone.png"
    small.image.value = "coffee"
    assert "no such file" in small.status
    assert small.output is None
    assert small._output_image.value == b""


def test_needs_something_to_offer():
    with pytest.raises(InputError, match="at least one network"):
        StylePreview({})


@pytest.mark.browser
def test_runs_in_a_browser_engine(small):
    expected = small.output
    small.choose(engine="onnxjs-0.1.8/wasm")
    assert small.status.startswith("onnxjs-0.1.8/wasm: ")
    assert np.abs(small.output - expected).max() < 0.5
