"""`make test` leaves out slow tests and most cases of those with samples; pytest by itself runs them all."""

from __future__ import annotations

import subprocess
import sys

import pytest

from fns_lab.paths import ROOT

WITH_SLOW, WITH_SAMPLES = "tests/fetch/test_versions.py", "tests/runtimes/test_isolated_commands.py"
SLOW = f"{WITH_SLOW}::test_a_version_that_fails_differs_and_its_first_failing_node_is_named"
FIRST, SECOND = (f"{WITH_SAMPLES}::test_an_engine_that_crashes_in_mid_run[{name}]" for name in ("SIGSEGV", "SIGABRT"))


@pytest.mark.parametrize(("options", "left_out"), [([], set()), (["--quick"], {SLOW, SECOND})])
def test_what_is_left_out(options, left_out):
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", *options, WITH_SLOW, WITH_SAMPLES]
    collected = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.splitlines()
    assert {SLOW, FIRST, SECOND} - set(collected) == left_out
