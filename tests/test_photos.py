"""The photographs in scikit-image's wheel, as arrays and as files, without a network."""

from __future__ import annotations

import socket

import numpy as np
import pytest

from fns_lab import images, photos
from fns_lab.errors import InputError
from fns_lab.paths import DATA

GREY = {"cameraman", "bricks", "grass", "gravel"}


@pytest.mark.parametrize("name", photos.NAMES)
def test_each_is_a_photograph_and_comes_without_a_network(name, tmp_path, monkeypatch):
    def refuse(*args, **kwargs):
        raise AssertionError("asked for a network")

    monkeypatch.setattr(socket, "socket", refuse)
    x = images.load(photos.path(name, tmp_path), size=(60, 90))
    assert x.shape == (1, 3, 60, 90)
    assert x.std() > 10, "flat"
    assert (np.ptp(x, axis=1).max() > 10) == (name not in GREY)


def test_load_is_the_file_scaled_and_cut():
    assert np.array_equal(photos.load("cat", (40, 30)), images.load(photos.path("cat"), size=(40, 30)))


def test_folder_holds_them_all_and_is_written_once(tmp_path):
    folder = photos.folder(tmp_path)
    written = {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}
    assert set(written) == {f"{name}.png" for name in photos.NAMES}
    photos.folder(tmp_path)
    assert {path.name: path.stat().st_mtime_ns for path in folder.iterdir()} == written


def test_each_has_its_origin_and_licence_in_data_readme():
    rows = [line for line in (DATA / "README.md").read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    for name in photos.NAMES:
        (row,) = (row for row in rows if row.startswith(f"| `{name}` "))
        assert "CC0" in row or "public domain" in row


def test_an_unknown_name_gives_the_nearest():
    with pytest.raises(InputError, match="the nearest is 'coffee'"):
        photos.load("cofee")
