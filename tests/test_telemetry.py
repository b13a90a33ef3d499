"""Nothing that imports fns_lab first lets ONNX Runtime keep a number of the machine, or ask a server."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from fns_lab.paths import ROOT

# ONNX Runtime keeps no number where one of these says that a build server runs it (found in its library).
BUILD_SERVERS = (
    *("CI", "TF_BUILD", "GITHUB_ACTIONS", "GITLAB_CI", "CIRCLECI", "TRAVIS", "JENKINS_URL"),
    *("CODEBUILD_BUILD_ID", "BUILDKITE", "TEAMCITY_VERSION", "APPVEYOR", "BITBUCKET_BUILD_NUMBER"),
)

ONE_RUN = """
import fns_lab
import numpy as np
from onnx import parser
from fns_lab.runtimes import run_in

model = parser.parse_model('<ir_version: 8, opset_import: ["" : 13]> g (float[2] x) => (float[2] y) { y = Relu(x) }')
run_in("ort/cpu")(model, {"x": np.zeros(2, np.float32)})
"""


def files_after_a_run(home: Path, *tracer: str, **variables: str) -> list[str]:
    """Return the files in the user's folder after one run of ONNX Runtime that starts with an empty one."""
    home.mkdir(exist_ok=True)
    kept = {name: value for name, value in os.environ.items() if name not in ("ORT_DISABLE_TELEMETRY", *BUILD_SERVERS)}
    environment = kept | {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "PYTHONPATH": str(ROOT)}
    command = [*tracer, sys.executable, "-c", ONE_RUN]
    subprocess.run(command, env=environment | variables, check=True, capture_output=True, text=True)
    return [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]


def test_a_run_leaves_no_number_of_the_machine(tmp_path):
    assert files_after_a_run(tmp_path / "ours") == []
    allowed = files_after_a_run(tmp_path / "allowed", ORT_DISABLE_TELEMETRY="0")
    if not any("deviceid" in name for name in allowed):
        pytest.skip("ONNX Runtime keeps no number on this machine, whatever the variable says")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_run_opens_no_connection(tmp_path):
    log = tmp_path / "calls"
    files_after_a_run(tmp_path / "home", "strace", "-f", "-qq", "-e", "trace=connect,sendto", "-o", str(log))
    assert [line for line in log.read_text().splitlines() if "AF_INET" in line] == []
