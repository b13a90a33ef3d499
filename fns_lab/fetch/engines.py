"""Engines of other versions, each brought into a folder of its own beside the pinned version, which stays as it is."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path

from fns_lab import paths, targets
from fns_lab.errors import InputError, MissingError
from fns_lab.fetch import packages
from fns_lab.fetch.packages import Registry
from fns_lab.runtimes import versions


def fetch(spec: str) -> Path:
    """Bring the engine `PACKAGE@VERSION`, such as `onnxruntime-web@1.22.0`, unless it is there; return its folder.

    Raises `InputError` for a package that is no engine of a target, `MissingError` if it can't be downloaded.
    """
    package, version = parse(spec)
    folder = versions.folder(package, version)
    if folder.is_dir():
        return folder
    paths.ENGINES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".unpack-", dir=paths.ENGINES) as temporary:
        archive = packages.download(registry_of(package), package, version, Path(temporary))
        unpacked = Path(temporary, "unpacked")
        unpacked.mkdir()
        _unpack(archive, unpacked)
        unpacked.replace(folder)
    return folder


def parse(spec: str) -> tuple[str, str]:
    """Return package and version of `PACKAGE@VERSION`. Raises `InputError` for anything else."""
    package, _, version = spec.rpartition("@")
    if package not in _registries():
        raise InputError(f"engine {spec!r}: give PACKAGE@VERSION; the packages are {', '.join(_registries())}")
    if not re.fullmatch(r"\d+(\.\d+){2,}", version):
        raise InputError(f"engine {spec!r}: give the whole version, as in {package}@1.2.3")
    return package, version


def registry_of(package: str) -> Registry:
    """Return where an engine's package comes from."""
    return _registries()[package]


def remove(package: str, version: str) -> None:
    """Delete an engine that was fetched."""
    shutil.rmtree(versions.folder(package, version), ignore_errors=True)


def _registries() -> dict[str, Registry]:
    every = map(targets.load, targets.names())
    return dict.fromkeys(versions.NPM_PACKAGES.values(), Registry.NPM) | {
        target.package: Registry.PIP for target in every if target.package
    }


def _unpack(archive: Path, folder: Path) -> None:
    """Write what an engine needs into `folder`: all of a wheel, an npm package's manifest and the files of dist/."""
    if archive.suffix == ".whl":
        shutil.unpack_archive(archive, folder, "zip")
        return
    (folder / "dist").mkdir()
    for name, content in packages.members(archive, _is_needed):
        (folder / name).write_bytes(content)
    if not any((folder / "dist").iterdir()):
        raise MissingError(f"{archive.name} holds no engine for browsers")


def _is_needed(name: str) -> bool:
    return name == "package.json" or re.fullmatch(r"dist/[\w.-]+\.(js|mjs|wasm)", name) is not None
