"""ONNX files are checked, lowered, run and compared where torch is not installed; the rest says what brings it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from fns_lab import models
from fns_lab.cli import GOOD, MISSING
from tests import small_network as small

BLOCKED = """
import sys
for name in ("torch", "torchvision", "accelerate", "safetensors"):
    sys.modules[name] = None  # what an import of a package that is not there finds
from fns_lab.cli import main
codes = [main(line.split()) for line in sys.argv[1:]]
sys.exit(max(codes))
"""


@pytest.fixture
def folder(tmp_path):
    models.save(small.regular(), tmp_path / "m.onnx")
    np.savez(tmp_path / "x.npz", **small.feeds())
    return tmp_path


def run(folder, *lines):
    """Run commands in a process in which torch cannot be imported; return the process with their highest exit code."""
    command = [sys.executable, "-c", BLOCKED, *lines]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)


def test_onnx_files_need_no_torch(folder):
    result = run(
        folder,
        "check m.onnx --target ort/cpu",
        "lower m.onnx --target onnxjs-0.1.3/webgl -o lowered.onnx",
        "run lowered.onnx --target ort/cpu --input x.npz -o y.npz",
        "compare m.onnx lowered.onnx --input x.npz",
        "bench m.onnx --target ort/cpu --runs 1 --input x.npz",
    )
    assert result.returncode == GOOD, result.stderr
    assert (folder / "y.npz").is_file()


def test_a_command_that_needs_torch_says_what_brings_it(folder):
    (folder / "net.pth").write_bytes(b"")
    result = run(folder, "export net.pth -o net.onnx")
    assert result.returncode == MISSING
    assert result.stderr.endswith("this needs torch, which is not installed: run `pip install 'fns-lab[torch]'`\n")
