"""The style network in strips: the same image as the whole network gives."""

from __future__ import annotations

import functools
import os
import weakref
from pathlib import Path

import numpy as np
import pytest
import torch

from fns_lab.errors import InputError
from fns_lab.nets import strips
from fns_lab.nets.transformer import TransformerNet, stylize

ROUNDING = 2e-3
"""Largest difference of the two images, values 0..255: sums in float32 and in float64 of some ten layers."""


def pixels(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(3).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.fixture(scope="module")
def trained_like() -> TransformerNet:
    torch.manual_seed(0)
    net = TransformerNet(3).eval()
    for name, value in net.named_parameters():
        if ".in" in f".{name}":
            torch.nn.init.uniform_(value, 0.2, 1.5)
    return net


@pytest.mark.parametrize("size", [(5, 5), (8, 31), (61, 42), (64, 96)])
@pytest.mark.parametrize("strip_bytes", [1, 4000, 2**25])
def test_strips_give_the_image_of_the_whole_network(trained_like, tmp_path, monkeypatch, size, strip_bytes):
    monkeypatch.setattr(strips, "STRIP_BYTES", strip_bytes)
    x = pixels(*size)
    done = []
    y = torch.cat(list(strips.stylize(trained_like, x, tmp_path, lambda: done.append(1))), dim=2)
    whole = stylize(trained_like, torch.from_numpy(x).permute(2, 0, 1)[None].float())
    assert y.shape == whole.shape
    assert (y - whole).abs().max() < ROUNDING
    assert len(done) == strips.LAYERS
    assert not os.listdir(tmp_path)


def test_a_full_disk_is_one_line(trained_like, monkeypatch, tmp_path):
    full = functools.partial(Path("/dev/full").open, "wb")
    monkeypatch.setattr(strips.tempfile, "TemporaryFile", lambda *, dir, buffering: full(buffering))
    with pytest.raises(InputError, match="temporary files have no room"):
        next(strips.stylize(trained_like, pixels(16, 16), tmp_path, lambda: None))


def test_the_temporary_files_take_what_is_said(trained_like, tmp_path, monkeypatch):
    files, sizes = weakref.WeakSet(), []

    class Watched(strips._FeatureMap):
        def __init__(self, *arguments):
            super().__init__(*arguments)
            files.add(self)

        def add_to_sums(self, x):
            super().add_to_sums(x)
            sizes.append(sum(os.fstat(each._file.fileno()).st_size for each in files))

    monkeypatch.setattr(strips, "_FeatureMap", Watched)
    list(strips.stylize(trained_like, pixels(64, 64), tmp_path, lambda: None))
    assert max(sizes) <= strips.disk_bytes(3, 64, 64) < 1.2 * max(sizes)
