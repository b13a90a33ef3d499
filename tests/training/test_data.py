"""Photographs: broken files are skipped and named, and a batch depends on the seed and the step alone."""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fns_lab.errors import InputError
from fns_lab.training.data import Photographs
from tests.training.folders import BROKEN, mixed_folder, noise


@pytest.fixture(scope="module")
def mixed(tmp_path_factory) -> Path:
    return mixed_folder(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def photographs(mixed) -> Photographs:
    return Photographs(mixed, crop_px=16, batch_size=4, seed=7)


def test_ten_broken_of_thirty_are_skipped_and_named(photographs, mixed):
    assert (len(photographs.paths), len(photographs.skipped)) == (20, 10)
    assert {path.relative_to(mixed).as_posix() for path in photographs.skipped} == set(BROKEN)
    for path, fault in photographs.skipped.items():
        assert fault.startswith(f"{path}: ")
        assert BROKEN[path.relative_to(mixed).as_posix()] in fault
        assert "\n" not in fault


def test_a_broken_image_changes_no_batch(photographs, mixed, tmp_path):
    whole = tmp_path / "whole"
    shutil.copytree(mixed, whole, symlinks=True)
    for name in BROKEN:
        path = whole / name
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    clean = Photographs(whole, crop_px=16, batch_size=4, seed=7)
    assert not clean.skipped
    assert clean.fingerprint == photographs.fingerprint
    for step in (0, 3, 11):
        np.testing.assert_array_equal(clean.batch(step), photographs.batch(step))


def test_a_batch_is_a_function_of_seed_and_step(photographs, mixed):
    again = Photographs(mixed, crop_px=16, batch_size=4, seed=7)
    later_first = [again.batch(step) for step in (9, 2, 0)]
    in_order = {step: photographs.batch(step) for step in range(10)}
    for x, step in zip(later_first, (9, 2, 0), strict=True):
        np.testing.assert_array_equal(x, in_order[step])
    assert len({zlib.crc32(x) for x in in_order.values()}) == 10, "no two steps alike"
    other = Photographs(mixed, crop_px=16, batch_size=4, seed=8)
    assert not np.array_equal(other.batch(0), in_order[0])


def test_a_batch_is_pixels(photographs):
    x = photographs.batch(0)
    assert (x.dtype, x.shape) == (np.float32, (4, 3, 16, 16))
    assert 0 <= x.min() < 100 < x.max() <= 255


def test_an_epoch_shows_every_photograph_once(tmp_path):
    for value in range(7):
        Image.new("RGB", (24, 20), (value * 30,) * 3).save(tmp_path / f"{value}.png")
    photographs = Photographs(tmp_path, crop_px=16, batch_size=1, seed=0)
    for epoch in (0, 1):
        steps = range(epoch * 7, epoch * 7 + 7)
        assert sorted(round(photographs.batch(step).mean() / 30) for step in steps) == list(range(7))


def test_every_kind_of_image_gives_its_own_colours(tmp_path):
    """A grey, a 16-bit grey, a CMYK, a transparent and a rotated image, each of one known colour."""
    red, exif = (200, 40, 30), Image.Exif()
    exif[0x0112] = 6  # orientation: stored rotated by 90 degrees
    Image.new("L", (20, 30), 77).save(tmp_path / "a_grey.jpg", quality=95)
    Image.fromarray(np.full((20, 30), 25700, np.uint16)).save(tmp_path / "b_deep.png")
    Image.new("CMYK", (30, 20), (0, 255, 255, 0)).save(tmp_path / "c_print.jpg", quality=95)
    Image.new("RGBA", (20, 20), (0, 0, 0, 0)).save(tmp_path / "d_glass.png")
    Image.new("RGB", (40, 20), red).save(tmp_path / "e_turned.jpg", quality=95, exif=exif)
    Image.new("RGB", (1, 900), red).save(tmp_path / "f_line.png")
    expected = {(77,) * 3, (100,) * 3, (254, 0, 0), (255,) * 3, red}
    photographs = Photographs(tmp_path, crop_px=16, batch_size=6, seed=0)
    assert not photographs.skipped
    for x in photographs.batch(0):
        mean = x.mean((1, 2))
        assert min(np.abs(mean - colour).max() for colour in expected) < 3
        assert x.std((1, 2)).max() < 3
    means = photographs.batch(0).mean((2, 3))
    assert all(np.abs(means - colour).max(1).min() < 3 for colour in expected)


def test_a_crop_is_a_part_of_the_image_in_its_proportions(tmp_path):
    """A ramp of one grey level per pixel, 200 wide and 100 high: a crop of 100 spans 77 to 100 levels."""
    ramp = np.broadcast_to(np.arange(200, dtype=np.uint8)[None, :, None], (100, 200, 3))
    Image.fromarray(np.ascontiguousarray(ramp)).save(tmp_path / "ramp.png")
    photographs = Photographs(tmp_path, crop_px=100, batch_size=1, seed=0)
    crops = [photographs.batch(step)[0, 0] for step in range(12)]
    spans = [float(abs(x[:, -1].mean() - x[:, 0].mean())) for x in crops]
    assert 75 < min(spans) < max(spans) < 101
    assert {bool(x[0, 0] < x[0, -1]) for x in crops} == {True, False}, "some are mirrored"
    assert max(x.max() for x in crops) > 180 and min(x.min() for x in crops) < 30, "they come from all over"


def test_a_folder_without_a_readable_image_is_refused(tmp_path):
    (tmp_path / "a.png").write_text("no image")
    (tmp_path / "b.jpg").touch()
    refused(tmp_path, "no readable image among 2; the first: ")
    refused(tmp_path / "gone", "no such folder")
    refused(tmp_path / "a.png", "a file, not a folder")
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", "no images in it")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_pipe_is_skipped_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.jpg")
    Image.fromarray(noise(0)).save(tmp_path / "good.png")
    photographs = Photographs(tmp_path, crop_px=16, batch_size=1, seed=0)
    assert list(photographs.skipped.values()) == [f"{tmp_path / 'pipe.jpg'}: not a plain file"]


def refused(folder: Path, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Photographs(folder, crop_px=16, batch_size=1, seed=0)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)
