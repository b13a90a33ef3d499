"""Several processes: the same gradients as one process with the whole batch, one writer, one stop for all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest
import torch

from fns_lab.training import log, snapshots
from tests.training.folders import good_folder

PROCESSES = 2
GRADIENT_TOLERANCE = 1e-3
"""Of the gradient's norm. float32 summed in another order gave 1e-4; a share left out or counted twice gives 0.1."""
LAUNCHERS = {
    "torchrun": ["torch.distributed.run", "--nproc_per_node", str(PROCESSES)],
    "accelerate": ["accelerate.commands.launch", "--multi_gpu", "--num_processes", str(PROCESSES)],
}
NOTEBOOK = """
from pathlib import Path
from accelerate import notebook_launcher
from fns_lab.cli.devices import prefer
from fns_lab.training.config import TrainConfig
from fns_lab.training.run import train
prefer("cpu")
small = dict(max_steps=2, batch_size=1, image_size=16, style_size=16, num_channels=2, mixed_precision="no")
config = TrainConfig(Path({folder!r}), Path({style!r}), **small)
free_port = dict(use_port="0", rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0")
notebook_launcher(train, (config, Path({out!r})), num_processes={processes}, **free_port)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return good_folder(tmp_path_factory.mktemp("photographs"), 6)


def start(folder: Path, out: Path, batch_size: int, steps: int, launcher: list[str] | None = None, *more: str):
    """`fns-lab train` in one process, or in several by a launcher."""
    flags = "--image-size 16 --style-size 16 --num-channels 2 --device cpu --mixed-precision no --checkpoint-interval 1"
    places = ("--dataset", folder, "--style-image", folder / "near/photo01.jpg", "--save-model-dir", out / "saved")
    argv = ["train", *map(str, places), "--checkpoint-model-dir", str(out / "run"), *flags.split(), *more]
    argv += ["--batch-size", str(batch_size), "--max-steps", str(steps)]
    return _python(*(["-m", *launcher] if launcher else []), "-m", "fns_lab", *argv)


def _python(*argv: str) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MASTER_PORT": "0"}
    return subprocess.Popen(
        [sys.executable, *argv], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    )


def finished(process: subprocess.Popen) -> str:
    """Return its stdout, once it has ended with exit code 0."""
    out, err = process.communicate(timeout=200)
    assert process.returncode == 0, err
    return out


def first_gradient(run_dir: Path) -> torch.Tensor:
    """The gradient of the first step, which Adam's first moment is a tenth of."""
    moments = torch.load(run_dir / snapshots.name(1), weights_only=True)["optimizer"]["state"].values()
    return torch.cat([moment["exp_avg"].flatten() for moment in moments]) / 0.1


@pytest.fixture(scope="module")
def alone(folder, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("alone")
    finished(start(folder, out, PROCESSES, 2))
    return out


@pytest.mark.slow
def test_two_processes_give_the_gradients_of_one_with_the_doubled_batch(folder, alone, tmp_path):
    said = finished(start(folder, tmp_path, 1, 2, LAUNCHERS["accelerate"]))
    expected, together = first_gradient(alone / "run"), first_gradient(tmp_path / "run")
    assert expected.norm() > 0
    assert (together - expected).norm() < GRADIENT_TOLERANCE * expected.norm()
    assert len(said.splitlines()) == 1, "one process prints"
    losses = [pd.read_csv(out / "run" / log.CSV, index_col="step") for out in (alone, tmp_path)]
    assert list(losses[1].index) == [1, 2]
    pd.testing.assert_frame_equal(*(table.loc[:1, ["content", "style"]] for table in losses), rtol=1e-4)


@pytest.mark.slow
def test_ctrl_c_stops_both_after_the_same_step_and_they_resume_from_there(folder, tmp_path):
    run_dir = tmp_path / "run"
    process = start(folder, tmp_path, 1, 10_000, LAUNCHERS["torchrun"])
    deadline = time.monotonic() + 100
    while not list(run_dir.glob("*.ckpt")):
        assert process.poll() is None and time.monotonic() < deadline, process.communicate()
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=100)
    assert process.returncode != 0
    newest, skipped = snapshots.newest_readable(run_dir)
    step = snapshots.read(newest)["step"]
    assert not skipped
    assert f"stopped after step {step} of 10000; to resume: " in err
    finished(start(folder, tmp_path, 1, step + 2, LAUNCHERS["torchrun"], "--resume", str(run_dir)))
    assert list(pd.read_csv(run_dir / log.CSV)["step"]) == list(range(1, step + 3))


def test_a_notebook_can_launch_several(folder, tmp_path):
    style = folder / "near/photo01.jpg"
    code = NOTEBOOK.format(folder=str(folder), style=str(style), out=str(tmp_path), processes=PROCESSES)
    finished(_python("-c", code))
    card = next(tmp_path.glob("*.md")).read_text()
    assert f"| batch, crop | 1 in each of {PROCESSES} processes, 16 x 16 px |" in card
