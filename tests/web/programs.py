"""Programs that tests of the web modules run."""

import shutil

import pytest


def node() -> str:
    """Return node's path; skip the test where there is none."""
    path = shutil.which("node")
    if not path:
        pytest.skip("node is not installed; `fns-lab doctor` names its fix")
    return path
