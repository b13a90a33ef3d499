"""The nine shipped networks: each has a model card, and its images come near its style."""

from __future__ import annotations

import re

import numpy as np
import pytest
import torch

from fns_lab import images, photos
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import stylize
from fns_lab.nets.vgg import LossNetwork
from fns_lab.paths import DATA, SAVED_MODELS
from fns_lab.training.losses import gram_matrix

STYLES, WIDTHS = ("mosaic", "candy", "waves"), (32, 16, 8)
NAMES = [f"{style}_nc{width}" for style in STYLES for width in WIDTHS]
MOST_BYTES = 25e6
LEAST_GAIN = 3
"""Least ratio of distances from the style, in Gram matrices: photograph over stylized image; untrained, about 1."""
LEAST_LIKENESS = 0.2
"""Least correlation of brightness between photograph and stylized image: the subject must stay visible."""


def test_every_style_at_every_width_ships_with_its_card_and_nothing_else():
    assert {path.stem for path in SAVED_MODELS.glob("*.pth")} == set(NAMES)
    assert {path.stem for path in SAVED_MODELS.glob("*.md")} - {"README"} == set(NAMES)
    assert sum(path.stat().st_size for path in SAVED_MODELS.glob("*.pth")) < MOST_BYTES


@pytest.mark.parametrize("name", NAMES)
def test_a_card_says_how_its_network_was_trained(name):
    card = (SAVED_MODELS / f"{name}.md").read_text(encoding="utf-8")
    assert card.startswith(f"# {name}\n")
    for row in ("network", "style image", "photographs", "batch, crop", "optimizer", "loss network", "time"):
        assert f"\n| {row} | " in card
    assert re.search(r"\n\| steps 1 to \d+ \| content weight ", card)
    assert "**What it does badly.**" in card


@pytest.fixture(scope="module")
def grams():
    """A function from an image to the Gram matrices of its features in the loss network."""
    net = LossNetwork()
    return lambda x: [gram_matrix(features) for features in net(torch.from_numpy(x))]


@pytest.mark.parametrize("name", NAMES)
def test_a_stylized_image_is_nearer_its_style_than_the_photograph_and_still_shows_it(name, grams):
    style, width = name.split("_nc")
    net = checkpoints.load(SAVED_MODELS / f"{name}.pth")
    assert net.width == int(width)
    x = photos.load("coffee", (128, 160))
    y = stylize(net, torch.from_numpy(x)).numpy()
    style_px = int(re.search(r"scaled to (\d+) px", (SAVED_MODELS / f"{name}.md").read_text(encoding="utf-8"))[1])
    reference = grams(images.load(DATA / "style-images" / f"{style}.jpg", size=(style_px, style_px)))
    distances = [
        sum(float((a - b).square().sum()) for a, b in zip(grams(image), reference, strict=True)) for image in (x, y)
    ]
    assert distances[0] / distances[1] > LEAST_GAIN
    assert np.corrcoef(x.mean(1).ravel(), y.mean(1).ravel())[0, 1] > LEAST_LIKENESS
