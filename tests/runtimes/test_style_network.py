"""The main claim: the trained style network, lowered, gives the same image in every engine."""

import numpy as np
import pytest

from fns_lab import targets
from fns_lab.compare.tolerance import IMAGE_ACROSS_ENGINES
from fns_lab.rewrite.lower import lower
from fns_lab.runtimes import open_runner
from tests.runtimes.graphs import BROWSER_TARGETS, PIP_TARGETS


@pytest.fixture(scope="module")
def expected(fns_model, photo):
    with open_runner(fns_model, "ort/cpu") as runner:
        return runner.infer({"input": photo})["output"]


@pytest.mark.parametrize(
    "name", [*PIP_TARGETS, *(pytest.param(name, marks=pytest.mark.browser) for name in BROWSER_TARGETS)]
)
def test_the_lowered_network_gives_the_same_image(name, fns_model, photo, expected):
    lowered = lower(fns_model, targets.load(name))
    assert lowered
    with open_runner(lowered.model, name, timeout_s=300) as runner:
        image = runner.infer({"input": photo})["output"]
    assert image.shape == expected.shape
    assert np.ptp(expected) > 100
    assert np.abs(image - expected).max() < IMAGE_ACROSS_ENGINES.floor
