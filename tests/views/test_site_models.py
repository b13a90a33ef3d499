"""The files of a model on the web site."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from fns_lab import targets
from fns_lab.rewrite.lower import lower
from fns_lab.views.site.models import SiteModel, model_entry
from tests.runtimes.graphs import graph, image, node

SIZE = (6, 8)
ENGINES = [targets.load(name) for name in ("ort-web/wasm", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/cpu")]


@pytest.fixture
def site_model():
    x = image(1, 3, *SIZE)
    model = graph(
        [node("PRelu", "x slope", "y")], {"x": x}, {"slope": np.full(1, 0.1, np.float32)}, outputs={"y": x.shape}
    )
    return SiteModel("prelu", model, "prelu", expected={SIZE: x})


def kinds(entry):
    return {(variant["kind"], *variant["targets"]) for variant in entry["variants"]}


def test_tuned_files_stand_beside_the_others(site_model):
    asked = []

    def tune(model, target, size):
        asked.append((target.name, size))
        return lower(model, target).model if target.runtime == "onnxjs" else None

    files = {}
    plain, tuned = model_entry(site_model, ENGINES, {}), model_entry(site_model, ENGINES, files, tune)
    assert asked == [(target.name, SIZE) for target in ENGINES]
    assert kinds(tuned) - kinds(plain) == {("tuned", "onnxjs-0.1.8/wasm", "onnxjs-0.1.8/cpu")}
    (head,) = (variant["head"] for variant in tuned["variants"] if variant["kind"] == "tuned")
    onnx.checker.check_model(onnx.ModelProto.FromString(files[head]))
