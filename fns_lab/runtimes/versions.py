"""Versions side by side: engines that `fns-lab fetch engine PACKAGE@VERSION` put into folders of their own.

The pinned versions are in node_modules and among Python's packages. Each other one has a folder in `paths.ENGINES`,
named PACKAGE@VERSION: an npm package's files, or a wheel unpacked, which a process of its own then imports.
"""

from __future__ import annotations

from pathlib import Path

from fns_lab import paths
from fns_lab.targets import Target

NPM_PACKAGES = {"ort-web": "onnxruntime-web", "onnxjs": "onnxjs"}
"""The npm package of each runtime that runs in a browser. Of the others, the target names pip's package."""


def package_of(target: Target) -> str:
    """Return the engine's name in its registry: npm for a runtime of `NPM_PACKAGES`, else pip."""
    return NPM_PACKAGES.get(target.runtime) or target.package or target.runtime


def folder(package: str, version: str) -> Path:
    """Return where a version of an engine is or would be."""
    return paths.ENGINES / f"{package}@{version}"


def fetched_folder(target: Target) -> Path | None:
    """Return the folder of exactly this version of the target's engine, None if it was not fetched."""
    path = folder(package_of(target), target.version) if target.version else None
    return path if path and path.is_dir() else None


def fetched() -> list[tuple[str, str]]:
    """Return package and version of each engine that was fetched."""
    names = sorted(path.name for path in paths.ENGINES.glob("[!.]*@*") if path.is_dir())
    return [(package, version) for package, _, version in (name.rpartition("@") for name in names)]


def fix(target: Target) -> str:
    """Return what brings the engine of `target`."""
    return f"run `fns-lab fetch engine {package_of(target)}@{target.version}`"
