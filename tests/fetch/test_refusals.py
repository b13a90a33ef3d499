"""Wrong files, servers that refuse, and bad usage of `fetch`."""

from __future__ import annotations

import io
import os
import pickle

import pytest
import torch

from fns_lab.cli import BAD_INPUT, MISSING, main
from fns_lab.fetch import upstream
from tests.fetch.archives import ARCHIVE_PATH, is_one_line, zipped
from tests.file_server import serving


@pytest.mark.parametrize("status", [404, 403, 500])
def test_a_refusal_of_the_server_names_address_and_way_out(run, server, out, status):
    server.status = status
    for what, name, by_hand in (
        ("styles", "candy.jpg", f"save it as {out / 'candy.jpg'}"),
        ("models", upstream.ARCHIVE, f"unpack its .pth files into {out}"),
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
    "a bomb": ({"udnie.pth": bytes(upstream.LARGEST_MODEL_BYTES + 1)}, "unpacks to 67,108,865 bytes"),
}
"""What the archive holds beside or in place of good networks, and the message."""


@pytest.mark.parametrize("case", WRONG_FILES)
def test_an_archive_with_something_wrong_in_it_is_all_refused(run, server, out, networks, case):
    files, said = WRONG_FILES[case]
    server.files[upstream.ARCHIVE] = zipped(networks | files)
    all_refused(run, server, out, said)


def test_an_archive_without_one_of_the_networks_is_refused(run, server, out, networks):
    server.files[upstream.ARCHIVE] = zipped({name: networks[name] for name in upstream.MODELS[:3]})
    all_refused(run, server, out, "not upstream's archive: it holds no udnie.pth")


def test_what_is_no_archive_is_refused(run, server, out, archive):
    for data in (b"<html>Please log in</html>", archive[: len(archive) // 2], b""):
        server.files[upstream.ARCHIVE] = data
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


def test_a_download_above_the_limit_is_stopped_and_leaves_nothing(run, server, out, archive, monkeypatch):
    monkeypatch.setenv("FNS_LAB_DOWNLOAD_BYTES", "30000")
    server.files[upstream.ARCHIVE] = archive
    code, printed, err = run("models")
    assert (code, printed) == (BAD_INPUT, "")
    assert "are more than the limit of 30,000; `fns-lab --limit download-bytes=N ...` or" in err
    assert list(out.iterdir()) == []
