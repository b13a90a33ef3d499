"""A run that was stopped and resumed ends with the weights of a run that never stopped."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from fns_lab.cli import INTERRUPTED
from fns_lab.errors import InputError
from fns_lab.training import snapshots
from fns_lab.training.config import TrainConfig
from fns_lab.training.history import Stage
from fns_lab.training.loop import Trainer
from tests.training.folders import good_folder

KILLS = 3


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    return good_folder(tmp_path_factory.mktemp("photographs"), 5)


@pytest.fixture(scope="module")
def config(folder) -> TrainConfig:
    style = folder / "near/photo01.jpg"
    return TrainConfig(folder, style, max_steps=6, batch_size=2, image_size=16, num_channels=2, seed=3)


def advance(trainer: Trainer, steps: int) -> Trainer:
    """Train so many steps on."""
    for _, _step in zip(range(steps), trainer, strict=False):
        pass
    return trainer


def trained(config: TrainConfig) -> Trainer:
    return advance(Trainer(config), config.max_steps)


@pytest.fixture(scope="module")
def half(config, tmp_path_factory) -> Path:
    """A checkpoint after step 3 of 6."""
    trainer, path = Trainer(config), tmp_path_factory.mktemp("half") / snapshots.name(3)
    for step in trainer:
        if step.step == 3:
            trainer.save(path)
            break
    return path


def assert_equal(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert list(a) == list(b)
    differing = [name for name in a if not torch.equal(a[name], b[name])]
    assert not differing


def test_a_resumed_run_ends_in_the_same_weights_bit_for_bit(config, half):
    whole = trained(config)
    resumed = Trainer(config)
    resumed.load(half)
    assert resumed.step == 3
    seen = [step.step for step in resumed]
    assert seen == [4, 5, 6]
    assert_equal(whole.state_dict(), resumed.state_dict())
    first, last = whole.history.first, whole.history.last
    assert (first.content, last.style) == (resumed.history.first.content, resumed.history.last.style)
    assert (resumed.history.first.step, resumed.history.last.step) == (1, 6)
    assert resumed.history.seconds > sum((first.seconds, 0))


DIFFERENT = {
    "num_channels": (3, "--num-channels was 2 and is now 3"),
    "seed": (4, "--seed was 3 and is now 4"),
    "batch_size": (1, "--batch-size was 2 and is now 1"),
    "image_size": (20, "--image-size was 16 and is now 20"),
    "style_size": (16, "--style-image was 24x36 px"),
}


@pytest.mark.parametrize("key", DIFFERENT)
def test_another_run_s_checkpoint_is_refused_by_what_differs(config, half, key):
    value, said = DIFFERENT[key]
    refused(replace(config, **{key: value}), half, said)


def test_other_images_are_refused(config, half, folder, tmp_path):
    refused(replace(config, style_image=folder / "near/photo03.png"), half, "--style-image was")
    refused(replace(config, dataset=good_folder(tmp_path, 4)), half, "--dataset was 5 images")


def test_the_same_images_elsewhere_are_the_same(config, half, tmp_path):
    moved = Trainer(replace(config, dataset=good_folder(tmp_path, 5)))
    moved.load(half)
    assert moved.step == 3


def test_a_checkpoint_past_the_end_is_refused(config, half):
    refused(replace(config, max_steps=2), half, "at step 3, past the final step of this run, 2")


def test_weights_and_rate_may_change_and_the_history_says_when(config, half):
    steered = Trainer(replace(config, style_weight=1e9, lr=1e-2, max_steps=4))
    steered.load(half)
    assert [group["lr"] for group in steered.optimizer.param_groups] == [1e-2]
    assert steered.history.stages == [Stage(1, 1e5, 1e10, 1e-3), Stage(4, 1e5, 1e9, 1e-2)]
    assert len(list(steered)) == 1


def refused(config: TrainConfig, path: Path, said: str) -> None:
    with pytest.raises(InputError) as caught:
        Trainer(config).load(path)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_of_a_folder_the_newest_readable_checkpoint_is_taken(half, tmp_path):
    data = half.read_bytes()
    (tmp_path / snapshots.name(3)).write_bytes(data)
    for step, size in ((4, 0), (5, 100), (6, len(data) // 2), (7, len(data) - 1)):
        (tmp_path / snapshots.name(step)).write_bytes(data[:size])
    spoilt = bytearray(data)
    spoilt[len(data) // 2] ^= 1
    (tmp_path / snapshots.name(8)).write_bytes(spoilt)
    torch.save({"weights": torch.ones(3)}, tmp_path / snapshots.name(9))
    path, skipped = snapshots.newest_readable(tmp_path)
    assert path.name == snapshots.name(3)
    assert [line.split(":")[0][-12:-5] for line in skipped] == [f"{step:07d}" for step in (9, 8, 7, 6, 5, 4)]
    with pytest.raises(InputError, match="not a whole checkpoint"):
        snapshots.newest_readable(tmp_path / snapshots.name(7))
    path.unlink()
    with pytest.raises(InputError, match=r"no readable checkpoint in it to resume from \(6 damaged\)"):
        snapshots.newest_readable(tmp_path)


@pytest.mark.parametrize(
    ("change", "cause"),
    [
        ({"lr": 1e6}, "the network's output has grown to .* try an --lr below 1e"),
        ({"style_weight": 1e38}, "the style weight is too large for float32: try a --style-weight below 1e"),
        ({"content_weight": 1e38, "style_weight": 1.0}, "the content weight is too large for float32"),
    ],
)
def test_a_loss_that_is_not_finite_stops_with_step_cause_and_checkpoint(config, tmp_path, change, cause):
    trainer, path = Trainer(replace(config, **change)), tmp_path / "before.ckpt"
    trainer.save(path)
    with pytest.raises(InputError, match=cause) as caught:
        advance(trainer, 6)
    assert f"at step {trainer.step + 1}; " in str(caught.value)
    assert str(caught.value).endswith(f"the last good checkpoint is {path}")
    assert all(value.isfinite().all() for value in trainer.state_dict().values())


# The command, in a process of its own


def command(folder: Path, out: Path, steps: int) -> list[str]:
    flags = "--image-size 16 --style-size 16 --num-channels 2 --batch-size 1 --device cpu --mixed-precision no"
    places = ("--dataset", folder, "--style-image", folder / "near/photo01.jpg", "--save-model-dir", out / "saved")
    checkpoints = ("--checkpoint-model-dir", out / "run", "--checkpoint-interval", 1)
    more = ("--max-steps", steps)
    return [sys.executable, "-m", "fns_lab", "train", *map(str, (*places, *checkpoints, *more)), *flags.split()]


def start(argv: list[str]) -> subprocess.Popen:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_checkpoint(run_dir: Path, beyond: int, process: subprocess.Popen) -> None:
    deadline = time.monotonic() + 60
    while len(list(run_dir.glob("*.ckpt"))) <= beyond and process.poll() is None:
        assert time.monotonic() < deadline, "no checkpoint in a minute"
        time.sleep(0.005)


def assert_files_are_whole(out: Path) -> None:
    for path in (out / "run").glob("*.ckpt"):
        snapshots.read(path)
    for path in (out / "saved").glob("*.pth"):
        torch.load(path, weights_only=True)


@pytest.mark.slow
def test_killed_at_random_moments_it_ends_in_the_weights_of_an_uninterrupted_run(folder, tmp_path):
    steps, rng, codes = 40, random.Random(0), []
    argv, run_dir = command(folder, tmp_path / "killed", steps), tmp_path / "killed" / "run"
    for kill in range(KILLS):
        process = start(argv + (["--resume", str(run_dir)] if kill else []))
        wait_for_checkpoint(run_dir, len(list(run_dir.glob("*.ckpt"))), process)
        time.sleep(rng.uniform(0, 0.1))
        process.kill()
        process.communicate()
        codes.append(process.returncode)
        assert_files_are_whole(tmp_path / "killed")
    assert codes == [-signal.SIGKILL] * KILLS
    for arguments in ([*argv, "--resume", str(run_dir)], command(folder, tmp_path / "uninterrupted", steps)):
        process = start(arguments)
        _, err = process.communicate(timeout=120)
        assert process.returncode == 0, err
    assert_files_are_whole(tmp_path / "killed")
    a, b = (next((tmp_path / run / "saved").glob("*.pth")) for run in ("uninterrupted", "killed"))
    assert a.name == b.name
    assert_equal(torch.load(a, weights_only=True), torch.load(b, weights_only=True))
    assert not list(run_dir.glob(".*.part")), "a resumed run deletes incomplete files"
    logs = [pd.read_csv(tmp_path / name / "run/losses.csv", index_col="step") for name in ("uninterrupted", "killed")]
    assert list(logs[0].index) == list(range(1, steps + 1))
    pd.testing.assert_frame_equal(*(log[["content", "style"]] for log in logs), check_exact=True)


def test_ctrl_c_saves_ends_with_130_and_says_how_to_resume(folder, tmp_path):
    argv, run_dir = command(folder, tmp_path, 5000), tmp_path / "run"
    process = start(argv)
    wait_for_checkpoint(run_dir, 0, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    steps = len(list(run_dir.glob("*.ckpt")))
    said = err.splitlines()[-1]
    assert said == f"fns-lab: stopped after step {steps} of 5000; to resume: the same command and --resume {run_dir}"
    assert snapshots.read(snapshots.newest_readable(run_dir)[0])["step"] == steps
    assert not list((tmp_path / "saved").iterdir()), "no network is shipped half trained"
