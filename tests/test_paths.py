"""Where things are kept: in the clone, the folder that is named, or the user's cache folder; never in a package."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import fns_lab

SHOW = (
    "from fns_lab import paths as p; print(p.ROOT, p.HOME, p.CACHE, p.NODE_MODULES, p.REPORTS, p.FETCHED_DATA, sep='|')"
)


@pytest.fixture
def installed(tmp_path):
    """A copy of the package outside a clone, as a wheel installs it; returns its folder."""
    site = tmp_path / "site-packages"
    ignored = shutil.ignore_patterns("__pycache__", "web", "tables")
    shutil.copytree(Path(fns_lab.__file__).parent, site / "fns_lab", ignore=ignored)
    return site


def shown(site, cwd, **environment):
    variables = {name: value for name, value in os.environ.items() if name not in ("FNS_LAB_HOME", "PYTHONPATH")}
    variables |= {"PYTHONPATH": str(site), "HOME": str(cwd), "XDG_CACHE_HOME": str(cwd / "cache"), **environment}
    command = [sys.executable, "-c", SHOW]
    result = subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, check=True)
    return [Path(text) for text in result.stdout.strip().split("|")]


def test_a_wheel_keeps_nothing_among_the_packages(installed, tmp_path):
    root, *kept = shown(installed, tmp_path)
    assert root == installed / "fns_lab" / "shipped"
    assert not [path for path in kept if path.is_relative_to(installed)]
    home, cache, engines, reports, data = kept
    assert home == cache == tmp_path / "cache" / "fns-lab"
    assert (engines, data) == (home / "node_modules", home / "data")
    assert reports == tmp_path / "reports"


def test_a_named_folder_takes_all(installed, tmp_path):
    named = tmp_path / "mine"
    _, home, cache, engines, _, data = shown(installed, tmp_path, FNS_LAB_HOME=str(named))
    assert (home, cache, engines, data) == (named, named, named / "node_modules", named / "data")


def test_a_clone_keeps_what_it_brings(tmp_path):
    clone = Path(fns_lab.__file__).parents[1]
    root, home, cache, engines, reports, data = shown(clone, tmp_path)
    assert (root, home) == (clone, clone)
    assert (cache, engines) == (clone / ".cache", clone / "node_modules")
    assert (reports, data) == (clone / "reports", clone / "data")
