"""Engines that pip brings: which version is here, and what to do where it is not the one that a target describes."""

from __future__ import annotations

import importlib.metadata

from fns_lab.errors import MissingError
from fns_lab.targets import Target


def installed_version(package: str) -> str | None:
    """Version of a package that pip installed, None when it is not there."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def lack(target: Target) -> str:
    """What is wrong with the package of `target` here; empty if nothing is, or if it has none."""
    found = installed_version(target.package) if target.package else None
    if target.package is None or (found and target.version in (None, found)):
        return ""
    return f"{found or 'nothing'} installed, {target.version or 'any version'} wanted"


def fix(target: Target) -> str:
    """How to mend it."""
    return f"run `make setup`, or `pip install {target.package}{f'=={target.version}' if target.version else ''}`"


def require(target: Target) -> None:
    """Raise MissingError unless the package of `target` is installed, at the version whose ops and faults it lists."""
    if wrong := lack(target):
        raise MissingError(f"{target} needs {target.package}: {wrong}; {fix(target)}")
