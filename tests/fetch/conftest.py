"""A web server on this machine, the command, and files as upstream has them."""

from __future__ import annotations

import hashlib
import io

import pytest
import torch

from fns_lab import paths
from fns_lab.cli import main
from fns_lab.fetch import upstream
from fns_lab.nets.transformer import TransformerNet
from fns_lab.paths import DATA
from tests.fetch.archives import zipped
from tests.fetch.registries import use_for_pip_and_npm
from tests.file_server import serving


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving() as server:
        yield server


@pytest.fixture
def registry(server, monkeypatch, tmp_path):
    """The server as pip's and npm's registry, and an empty folder of engines."""
    monkeypatch.setattr(paths, "ENGINES", tmp_path / "engines")
    use_for_pip_and_npm(server, monkeypatch)
    return server


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
    for seed, name in enumerate(upstream.MODELS):
        torch.manual_seed(seed)
        state = TransformerNet(4).state_dict()
        stale = {f"in{i}.running_mean": torch.zeros(8 * i) for i in range(1, 4)}
        stream = io.BytesIO()
        torch.save(state | stale, stream, _use_new_zipfile_serialization=False)
        files[name] = stream.getvalue()
    return files


@pytest.fixture(scope="session")
def archive(networks) -> bytes:
    """Laid out as upstream's, with the files that macOS adds to a zip."""
    members = {f"saved_models/{name}": data for name, data in networks.items()}
    return zipped({"saved_models/": b"", **members, "__MACOSX/saved_models/._udnie.pth": b"\0\5\x16\7"})


@pytest.fixture
def images(monkeypatch) -> dict[str, bytes]:
    """This project's own style images in place of upstream's, which the repository does not hold."""
    own = {name: (DATA / "style-images" / name).read_bytes() for name in ("candy.jpg", "mosaic.jpg", "waves.jpg")}
    monkeypatch.setattr(upstream, "STYLES", {name: hashlib.sha256(data).hexdigest() for name, data in own.items()})
    return own
