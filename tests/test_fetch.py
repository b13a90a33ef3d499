"""Fetching from a real web server on this machine: complete, checked, and continued after an interruption."""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
import torch

from fns_lab import fetch, photos
from fns_lab.cli import BAD_INPUT, GOOD, INTERRUPTED, MISSING, main
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import TransformerNet
from fns_lab.paths import DATA
from tests.file_server import PIECE_BYTES, Asked, serving

ARCHIVE_PATH = f"/{fetch.ARCHIVE}"


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def run(capsys, tmp_path, server):
    """Fetch one thing from the server into `out`: exit code, stdout, stderr without a progress bar that was cleared."""

    def run(what, *more):
        code = main(["fetch", what, "--from", server.address, "-o", str(tmp_path / "out"), *more])
        printed, err = capsys.readouterr()
        return code, printed, err.rpartition("\r")[2]

    return run


@pytest.fixture
def out(tmp_path):
    return tmp_path / "out"


@pytest.fixture(scope="session")
def networks() -> dict[str, bytes]:
    """Four small networks as upstream has them: saved by an old torch, with statistics that nothing uses."""
    files = {}
    for seed, name in enumerate(fetch.MODELS):
        torch.manual_seed(seed)
        state = TransformerNet(4).state_dict()
        stale = {f"in{i}.running_mean": torch.zeros(8 * i) for i in range(1, 4)}
        stream = io.BytesIO()
        torch.save(state | stale, stream, _use_new_zipfile_serialization=False)
        files[name] = stream.getvalue()
    return files


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


@pytest.fixture(scope="session")
def archive(networks) -> bytes:
    """Laid out as upstream's, with the files that macOS adds to a zip."""
    members = {f"saved_models/{name}": data for name, data in networks.items()}
    return zipped({"saved_models/": b"", **members, "__MACOSX/saved_models/._udnie.pth": b"\0\5\x16\7"})


@pytest.fixture
def images(monkeypatch) -> dict[str, bytes]:
    """This project's own style images in place of upstream's, which the repository does not hold."""
    own = {name: (DATA / "style-images" / name).read_bytes() for name in ("candy.jpg", "mosaic.jpg", "waves.jpg")}
    monkeypatch.setattr(fetch, "STYLES", {name: hashlib.sha256(data).hexdigest() for name, data in own.items()})
    return own


def is_one_line(err: str) -> bool:
    return err.startswith("fns-lab: ") and err.count("\n") == 1


# Complete downloads


def test_the_networks_of_the_archive_come_and_open(run, server, out, archive, networks):
    server.files[fetch.ARCHIVE] = archive
    code, printed, err = run("models")
    assert (code, err) == (GOOD, "")
    assert printed.splitlines() == [str(out / name) for name in fetch.MODELS]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks
    assert [checkpoints.load(path).width for path in out.iterdir()] == [4] * 4


def test_the_style_images_come(run, server, out, images):
    server.files |= images
    code, printed, err = run("styles")
    assert (code, err) == (GOOD, "")
    assert printed.splitlines() == [str(out / name) for name in images]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == images


def test_what_is_there_and_right_is_not_downloaded_again(run, server, out, images, archive, networks):
    server.files |= images | {fetch.ARCHIVE: archive}
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
    server.files |= images | {fetch.ARCHIVE: archive}
    out.mkdir()
    (out / name).write_bytes(b"mine\n")
    code, _, err = run(what)
    assert code == BAD_INPUT
    assert is_one_line(err)
    assert f"{out / name}: " in err
    assert "move it away" in err
    assert (out / name).read_bytes() == b"mine\n"


def test_a_slow_download_shows_how_far_it_is(capsys, server, out, archive):
    server.files[fetch.ARCHIVE] = archive
    server.pause_s = 1.5 / (len(archive) / PIECE_BYTES)
    assert main(["fetch", "models", "--from", server.address, "-o", str(out)]) == GOOD
    err = capsys.readouterr().err
    assert f"{fetch.ARCHIVE}: " in err
    assert "kB/s" in err


# Interrupted downloads are continued


def cut_once(run, server, archive, out, at=50_000):
    """A first run whose connection is dropped after `at` bytes."""
    server.files[fetch.ARCHIVE] = archive
    server.cut_after = at
    code, printed, err = run("models")
    server.cut_after = None
    assert (code, printed) == (MISSING, "")
    assert is_one_line(err)
    return err


def test_a_dropped_connection_is_continued(run, server, out, archive, networks):
    err = cut_once(run, server, archive, out)
    part = out / f"{fetch.ARCHIVE}.part"
    kept = part.read_bytes()
    assert 50_000 - fetch.CHUNK_BYTES < len(kept) <= 50_000
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
    server.files[fetch.ARCHIVE] = archive
    server.heeds_if_range = heeds_if_range
    assert run("models")[0] == GOOD
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


def test_a_part_of_another_address_is_not_continued(run, server, out, archive, networks):
    cut_once(run, server, archive, out)
    server.files |= {f"other/{fetch.ARCHIVE}": archive}
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
    (out / f"{fetch.ARCHIVE}.part").write_bytes(archive + b"more")
    assert run("models")[0] == GOOD
    assert [asked.range for asked in server.asked] == [None, f"bytes={len(archive) + 4}-", None]
    assert {path.name: path.read_bytes() for path in out.iterdir()} == networks


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=lambda how: how.name)
def test_a_stopped_command_is_continued(run, server, out, archive, networks, how):
    server.files[fetch.ARCHIVE] = archive
    server.pause_s = 0.5
    process = subprocess.Popen(
        [sys.executable, "-m", "fns_lab", "fetch", "models", "--from", server.address, "-o", str(out)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"TQDM_DISABLE": "1"},
    )
    part = out / f"{fetch.ARCHIVE}.part"
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


# Wrong files are refused


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refusal_of_the_server_names_address_and_way_out(run, server, out, status):
    server.status = status
    for what, name, by_hand in (
        ("styles", "candy.jpg", f"save it as {out / 'candy.jpg'}"),
        ("models", fetch.ARCHIVE, f"unpack its .pth files into {out}"),
    ):
        code, printed, err = run(what)
        assert (code, printed) == (MISSING, "")
        assert err.startswith(f"fns-lab: {server.address}/{name}: the server answers {status} ")
        assert err.endswith(f"; by hand: {by_hand}\n")
        assert is_one_line(err)
    assert list(out.iterdir()) == []


def test_no_server_is_one_line_as_well(capsys, tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        gone = server.address
    assert main(["fetch", "styles", "--from", gone, "-o", str(tmp_path)]) == MISSING
    err = capsys.readouterr().err
    assert is_one_line(err)
    assert f"{gone}/candy.jpg: no connection to it; by hand: save it as {tmp_path / 'candy.jpg'}" in err


def test_an_image_of_the_wrong_bytes_is_refused(run, server, out, images):
    server.files |= images | {"mosaic.jpg": images["mosaic.jpg"][:-1] + b"?"}
    code, _, err = run("styles")
    assert code == MISSING
    assert is_one_line(err)
    assert f"{server.address}/mosaic.jpg: not upstream's image: its SHA-256 is " in err
    assert [path.name for path in out.iterdir()] == ["candy.jpg"]


class Evil:
    def __reduce__(self):
        return os.system, ("echo this must not run",)


ANOTHER_NETWORK = io.BytesIO()
torch.save({"weight": torch.ones(3)}, ANOTHER_NETWORK)

WRONG_FILES = {
    "code": ({"udnie.pth": pickle.dumps(Evil())}, "udnie.pth in it is no style network: refused because it holds code"),
    "another network": ({"mosaic.pth": ANOTHER_NETWORK.getvalue()}, "a checkpoint of another network"),
    "text": ({"candy.pth": b"version 1\n"}, "candy.pth in it is no style network: a text file"),
    "leaves upwards": ({"../udnie.pth": b"x"}, "refused: '../udnie.pth' in it would leave the folder"),
    "leaves to the root": ({"/tmp/udnie.pth": b"x"}, "would leave the folder"),
    "leaves on Windows": ({"..\\udnie.pth": b"x"}, "would leave the folder"),
    "leaves to a drive": ({"C:udnie.pth": b"x"}, "would leave the folder"),
    "a bomb": ({"udnie.pth": bytes(fetch.LARGEST_MODEL_BYTES + 1)}, "unpacks to 67,108,865 bytes"),
}
"""What the archive holds beside or in place of good networks, and the message."""


@pytest.mark.parametrize("case", WRONG_FILES)
def test_an_archive_with_something_wrong_in_it_is_all_refused(run, server, out, networks, case):
    files, said = WRONG_FILES[case]
    server.files[fetch.ARCHIVE] = zipped(networks | files)
    all_refused(run, server, out, said)


def test_an_archive_without_one_of_the_networks_is_refused(run, server, out, networks):
    server.files[fetch.ARCHIVE] = zipped({name: networks[name] for name in fetch.MODELS[:3]})
    all_refused(run, server, out, "not upstream's archive: it holds no udnie.pth")


def test_what_is_no_archive_is_refused(run, server, out, archive):
    for data in (b"<html>Please log in</html>", archive[: len(archive) // 2], b""):
        server.files[fetch.ARCHIVE] = data
        all_refused(run, server, out, "not a whole zip archive")


def all_refused(run, server, out, said):
    code, printed, err = run("models")
    assert (code, printed) == (MISSING, "")
    assert is_one_line(err)
    assert err.startswith(f"fns-lab: {server.address}{ARCHIVE_PATH}: ")
    assert said in err
    assert list(out.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("fetch images", "'images' is not one of"),
        (
            "fetch styles models -o somewhere",
            "--output somewhere: the folder is for one WHAT; fetch models and styles one",
        ),
        ("fetch -o somewhere", "fetch models and photos and styles one by one"),
        ("fetch models --from mirror.example", "begins with http"),
        ("fetch models --from https://", "begins with http"),
        ("fetch photos --from https://mirror.example", "photos come from an installed package"),
    ],
)
def test_bad_usage_is_one_line(capsys, line, said):
    assert main(line.split()) == BAD_INPUT
    err = capsys.readouterr().err
    assert is_one_line(err)
    assert said in err


# Photographs to train on


def test_photographs_come_without_a_network_and_train(capsys, tmp_path, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    folder = tmp_path / "photos"
    assert main(["fetch", "photos", "-o", str(folder)]) == GOOD
    assert Path(capsys.readouterr().out.strip()) == folder
    assert {path.stem for path in folder.iterdir()} == set(photos.NAMES)
    places = f"--dataset {folder} --style-image {DATA}/style-images/mosaic.jpg --save-model-dir {tmp_path}"
    small = "--image-size 16 --style-size 16 --num-channels 2 --batch-size 1 --cuda 0 --max-steps 1"
    assert main(f"train {places} {small}".split()) == GOOD
    assert checkpoints.load(capsys.readouterr().out.strip()).width == 2
