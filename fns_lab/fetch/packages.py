"""Packages of pip and npm as files: their own clients download and check them, nothing is installed or run.

So whatever mirror, proxy or cache a machine has set up for pip and npm is used.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Collection, Iterator
from enum import StrEnum
from pathlib import Path

from fns_lab.errors import InputError, MissingError
from fns_lab.limits import DOWNLOAD_BYTES
from fns_lab.runtimes.install import failure, npm

POLL_S = 0.5
"""Seconds between two looks at how much has arrived."""


class Registry(StrEnum):
    """Where a package comes from."""

    PIP = "pip"
    NPM = "npm"


def download(registry: Registry, package: str, version: str, folder: Path) -> Path:
    """Return a package's file (a wheel, or npm's archive) in `folder`, downloaded unless it is there.

    The client compares it with the registry's checksum. Raises `MissingError` with the client's reason if it can't be
    had; after an error or Ctrl-C nothing of it is left.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prefix = f"{_plain(package)}@{version}"
    if present := sorted(folder.glob(f"{prefix}.*")):
        return present[0]
    with tempfile.TemporaryDirectory(prefix=f".{prefix}.", dir=folder) as temporary:
        target = Path(temporary, "file")
        target.mkdir()
        _run(_DOWNLOADS[registry](package, version, target), f"{package}@{version}", Path(temporary))
        (file,) = target.iterdir()
        path = folder / f"{prefix}{file.suffix}"
        file.replace(path)
    return path


def released(registry: Registry, package: str) -> list[str]:
    """Return the released versions of a package, oldest first; no previews. Raises `MissingError` if it is unknown."""
    with tempfile.TemporaryDirectory() as work:
        if registry is Registry.NPM:
            text = _run([npm(), "view", package, "versions", "--json"], package, Path(work))
            found = json.loads(text)
            every = found if isinstance(found, list) else [found]
        else:
            text = _run([*_pip("index"), "versions", package], package, Path(work))
            every = re.findall(r"^Available versions: (.*)$", text, re.MULTILINE)[0].split(", ")
    return sorted((version for version in every if re.fullmatch(r"\d+(\.\d+)*", version)), key=numbers)


def numbers(version: str) -> tuple[int, ...]:
    """Return `(1, 22, 0)` for "1.22.0"."""
    return tuple(map(int, version.split(".")))


def members(archive: Path, wanted: Callable[[str], bool]) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of the files of a package whose name (without npm's "package/") is wanted."""
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            yield from ((name, wheel.read(name)) for name in wheel.namelist() if wanted(name))
        return
    with tarfile.open(archive) as source:
        for member in source:
            name = member.name.partition("/")[2]
            if member.isfile() and wanted(name) and (stream := source.extractfile(member)):
                yield name, stream.read()


def extract(archive: Path, names: Collection[str], folder: Path) -> list[Path]:
    """Write files of a package into `folder`, under their names without folders, and return their paths."""
    found = dict(members(archive, names.__contains__))
    if missing := [name for name in names if name not in found]:
        raise InputError(f"{archive.name} holds no {missing[0]}")
    paths = [folder / name.rpartition("/")[2] for name in names]
    for name, path in zip(names, paths, strict=True):
        path.write_bytes(found[name])
    return paths


def _plain(package: str) -> str:
    """Return a package's name as a file's: `@ricky0123/vad-web` has a slash."""
    return package.replace("/", "+")


def _pip(command: str) -> list[str]:
    return [sys.executable, "-m", "pip", command, "--disable-pip-version-check", "--no-input"]


def _pip_download(package: str, version: str, folder: Path) -> list[str]:
    options = ["--no-deps", "--only-binary", ":all:", "--dest", str(folder)]
    return [*_pip("download"), *options, f"{package}=={version}"]


def _npm_pack(package: str, version: str, folder: Path) -> list[str]:
    return [npm(), "pack", "--ignore-scripts", "--pack-destination", str(folder), f"{package}@{version}"]


_DOWNLOADS = {Registry.PIP: _pip_download, Registry.NPM: _npm_pack}


def _run(command: list[str], label: str, work: Path) -> str:
    """Run a client and return what it prints; show how many bytes it wrote to `work`, its temporary folder."""
    from tqdm import tqdm

    environment = os.environ | {"TMPDIR": str(work), "npm_config_cache": str(work / "npm")}
    with (
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryFile("w+") as errors,
        subprocess.Popen(command, cwd=work, env=environment, stdout=output, stderr=errors) as process,
        tqdm(desc=label, unit="B", unit_scale=True, delay=1, leave=False, file=sys.stderr) as bar,
    ):
        try:
            while process.poll() is None:
                arrived = _size(work)
                DOWNLOAD_BYTES.require(arrived, label)
                bar.update(max(0, arrived - bar.n))
                _wait(process)
        finally:
            process.kill()
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise MissingError(f"{label}: cannot be had from the registry: {failure(errors.read())}")
        return output.read()


def _wait(process: subprocess.Popen[bytes]) -> None:
    try:
        process.wait(POLL_S)
    except subprocess.TimeoutExpired:
        return


def _size(folder: Path) -> int:
    """Return the bytes of the files in a folder, which another process is writing and deleting."""
    total = 0
    for root, _, files in os.walk(folder):
        for name in files:
            try:
                total += os.stat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total
