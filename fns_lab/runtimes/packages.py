"""Engines that pip installs: which version is here, and the fix where it is not the one that a target describes."""

from __future__ import annotations

import importlib.metadata

from fns_lab.errors import MissingError
from fns_lab.runtimes import versions
from fns_lab.targets import Target


def installed_version(package: str) -> str | None:
    """Return the version of a package that pip installed, None if it is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def version_of(target: Target) -> str | None:
    """Return the version of the target's package that runs: the one fetched for it, else the installed one."""
    return target.version if versions.fetched_folder(target) else installed_version(target.package or target.runtime)


def problem(target: Target) -> str:
    """Return what is wrong with the package of `target`; empty if nothing is, or if pip has none for it."""
    if versions.fetched_folder(target):
        return ""
    version = installed_version(target.package) if target.package else None
    if target.package is None or (version and target.version in (None, version)):
        return ""
    return f"{version or 'nothing'} installed, {target.version or 'any version'} wanted"


def fix(target: Target) -> str:
    """Return what to run where `problem` reports one."""
    if target.table_of:
        return versions.fix(target)
    return f"run `make setup`, or `pip install {target.package}{f'=={target.version}' if target.version else ''}`"


def require(target: Target) -> None:
    """Raise MissingError unless the package of `target` is installed, at the version that the target describes."""
    if reported := problem(target):
        raise MissingError(f"{target} needs {target.package}: {reported}; {fix(target)}")
