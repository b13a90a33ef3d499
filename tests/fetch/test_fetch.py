"""Fetching from a real web server on this machine: complete, checked, and continued after an interruption."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from fns_lab import photos
from fns_lab.cli import BAD_INPUT, GOOD, INTERRUPTED, MISSING, main
from fns_lab.fetch import upstream
from fns_lab.nets import checkpoints
from fns_lab.paths import DATA
from tests.fetch.archives import ARCHIVE_PATH, is_one_line
from tests.file_server import PIECE_BYTES, Asked

# Complete downloads


def test_the_networks_of_the_archive_come_and_open(run, server, out, archive, networks):
    server.files[upstream.ARCHIVE] = archive
    code, printed, err = run("models")
    assert (code, err) == (GOOD, "")
    assert printed.splitlines() == [str(out / name) for name in upstream.MODELS]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks
    assert [checkpoints.load(path).width for path in out.iterdir()] == [4] * 4


def test_the_style_images_come(run, server, out, images):
    server.files |= images
    code, printed, err = run("styles")
    assert (code, err) == (GOOD, "")
    assert printed.splitlines() == [str(out / name) for name in images]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == images


def test_what_is_there_and_right_is_not_downloaded_again(run, server, out, images, archive, networks):
    server.files |= images | {upstream.ARCHIVE: archive}
    out.mkdir()
    (out / "mosaic.jpg").write_bytes(images["mosaic.jpg"])
    (out / "udnie.pth").write_bytes(networks["udnie.pth"])
    written = (out / "udnie.pth").stat().st_mtime_ns
    assert (run("styles")[0], run("models")[0]) == (GOOD, GOOD)
    assert {asked.path for asked in server.asked} == {"/candy.jpg", "/waves.jpg", ARCHIVE_PATH}
    assert (out / "udnie.pth").stat().st_mtime_ns == written
    server.asked.clear()
    assert (run("styles")[0], run("models")[0]) == (GOOD, GOOD)
    assert server.asked == []


@pytest.mark.parametrize(("what", "name"), [("styles", "mosaic.jpg"), ("models", "candy.pth")])
def test_another_file_in_the_place_is_left_alone(run, server, out, images, archive, what, name):
    server.files |= images | {upstream.ARCHIVE: archive}
    out.mkdir()
    (out / name).write_bytes(b"mine\n")
    code, _, err = run(what)
    assert code == BAD_INPUT
    assert is_one_line(err)
    assert f"{out / name}: " in err
    assert "move it away" in err
    assert (out / name).read_bytes() == b"mine\n"


def test_a_slow_download_shows_how_far_it_is(capsys, server, out, archive):
    server.files[upstream.ARCHIVE] = archive
    server.pause_s = 1.5 / (len(archive) / PIECE_BYTES)
    assert main(["fetch", "models", "--from", server.address, "-o", str(out)]) == GOOD
    err = capsys.readouterr().err
    assert f"{upstream.ARCHIVE}: " in err
    assert "kB/s" in err


# Interrupted downloads are continued


def cut_once(run, server, archive, out, at=50_000):
    """A first run whose connection is dropped after `at` bytes."""
    server.files[upstream.ARCHIVE] = archive
    server.cut_after = at
    code, printed, err = run("models")
    server.cut_after = None
    assert (code, printed) == (MISSING, "")
    assert is_one_line(err)
    return err


def test_a_dropped_connection_is_continued(run, server, out, archive, networks):
    err = cut_once(run, server, archive, out)
    part = out / f"{upstream.ARCHIVE}.part"
    kept = part.read_bytes()
    assert 50_000 - upstream.CHUNK_BYTES < len(kept) <= 50_000
    assert archive.startswith(kept)
    assert f"{server.address}{ARCHIVE_PATH}: the connection broke off; {len(kept):,} bytes are kept in {part}, " in err
    assert ", the same command continues from there; by hand: " in err
    assert sorted(path.name for path in out.iterdir()) == [part.name, f"{part.name}.etag"]
    assert run("models")[0] == GOOD
    etag = f'"{hashlib.md5(archive).hexdigest()}"'
    assert server.asked == [Asked(ARCHIVE_PATH, None, None), Asked(ARCHIVE_PATH, f"bytes={len(kept)}-", etag)]
    assert server.sent_bytes == 50_000 + len(archive) - len(kept)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


def test_a_redirect_is_followed_and_continued(run, server, out, archive, networks):
    """Upstream's archive is reached by a redirect, to an address that is new each time."""
    server.files |= {"first": archive, "second": archive}
    server.moved[ARCHIVE_PATH] = "/first"
    cut_once(run, server, archive, out)
    server.moved[ARCHIVE_PATH] = "/second"
    assert run("models")[0] == GOOD
    assert server.asked[-1].path == "/second"
    assert server.asked[-1].range
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


@pytest.mark.parametrize("heeds_if_range", [True, False])
def test_two_versions_are_never_joined(run, server, out, archive, networks, heeds_if_range):
    """The first version is as long as the second and differs from it in the first bytes."""
    cut_once(run, server, archive[::-1], out)
    server.files[upstream.ARCHIVE] = archive
    server.heeds_if_range = heeds_if_range
    assert run("models")[0] == GOOD
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


def test_a_part_of_another_address_is_not_continued(run, server, out, archive, networks):
    cut_once(run, server, archive, out)
    server.files |= {f"other/{upstream.ARCHIVE}": archive}
    assert run("models", "--from", f"{server.address}/other/")[0] == GOOD
    assert server.asked[-1] == Asked(f"/other{ARCHIVE_PATH}", None, None)


def test_a_server_without_ranges_is_asked_for_all_of_it(run, server, out, archive, networks):
    cut_once(run, server, archive, out)
    server.ranges = False
    assert run("models")[0] == GOOD
    assert server.sent_bytes == 50_000 + len(archive)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


def test_of_a_server_without_versions_nothing_is_kept(run, server, out, archive):
    server.etags = False
    assert "kept" not in cut_once(run, server, archive, out)
    assert list(out.iterdir()) == []
    assert run("models")[0] == GOOD
    assert [asked.range for asked in server.asked] == [None, None]


def test_a_part_that_is_longer_than_the_file_is_begun_again(run, server, out, archive, networks):
    cut_once(run, server, archive, out)
    (out / f"{upstream.ARCHIVE}.part").write_bytes(archive + b"more")
    assert run("models")[0] == GOOD
    assert [asked.range for asked in server.asked] == [None, f"bytes={len(archive) + 4}-", None]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_a_stopped_command_is_continued(run, server, out, archive, networks, how):
    server.files[upstream.ARCHIVE] = archive
    server.pause_s = 0.5
    process = subprocess.Popen(
        [sys.executable, "-m", "fns_lab", "fetch", "models", "--from", server.address, "-o", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TQDM_DISABLE": "1"},
    )
    part = out / f"{upstream.ARCHIVE}.part"
    while not (part.exists() and part.stat().st_size):
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(how)
    _, err = process.communicate(timeout=30)
    if how == signal.SIGINT:
        assert process.returncode == INTERRUPTED
        assert is_one_line(err)
        assert err.endswith(f" bytes are kept in {part}, the same command continues from there\n")
    server.pause_s = 0.0
    assert run("models")[0] == GOOD
    assert int(server.asked[-1].range.removeprefix("bytes=").removesuffix("-")) > 0
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


# Photographs to train on


def test_photographs_come_without_a_network_and_train(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    folder = tmp_path / "photos"
    assert main(["fetch", "photos", "-o", str(folder)]) == GOOD
    assert Path(capsys.readouterr().out.strip()) == folder
    assert {path.stem for path in folder.iterdir()} == set(photos.NAMES)
    places = f"--dataset {folder} --style-image {DATA}/style-images/mosaic.jpg --save-model-dir {tmp_path}"
    small = "--image-size 16 --style-size 16 --num-channels 2 --batch-size 1 --device cpu --max-steps 1"
    assert main(f"train {places} {small}".split()) == GOOD
    assert checkpoints.load(capsys.readouterr().out.strip()).width == 2
