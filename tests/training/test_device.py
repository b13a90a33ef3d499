"""Which arithmetic a run takes: the one that is fastest here, or the one that is asked for."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from fns_lab.training import device
from fns_lab.training.config import TrainConfig
from fns_lab.training.loop import Trainer
from fns_lab.training.run import AUTO, train
from tests.training.folders import good_folder

CPU = torch.device("cpu")


@pytest.fixture
def config(tmp_path):
    folder = good_folder(tmp_path / "photos", 3)
    style = folder / "near/photo01.jpg"
    return TrainConfig(folder, style, max_steps=2, batch_size=1, image_size=16, style_size=16, num_channels=2)


@pytest.fixture
def seconds(monkeypatch):
    """Sets the seconds of a step by arithmetic; what was measured before is forgotten, before and after."""

    def set_seconds(by_arithmetic):
        device.fastest.cache_clear()
        monkeypatch.setattr(device, "PROBE_S", 0.0)
        monkeypatch.setattr(device, "_step_s", lambda arithmetic, _: by_arithmetic[arithmetic])

    yield set_seconds
    device.fastest.cache_clear()


def test_each_candidate_is_really_measured_here():
    device.fastest.cache_clear()
    chosen, gain = device.fastest(CPU)
    assert chosen in device.CANDIDATES
    assert gain == 1.0 if chosen == device.PLAIN else gain >= device.CLEAR_GAIN
    assert all(device._step_s(arithmetic, CPU) > 0 for arithmetic in device.CANDIDATES)


@pytest.mark.parametrize(("index", "times"), [(1, (1.0, 0.6, 0.9)), (2, (1.0, 0.6, 0.4)), (0, (1.0, 0.9, 5.0))])
def test_the_fastest_is_taken_if_the_gain_is_clear(seconds, config, index, times):
    seconds(dict(zip(device.CANDIDATES, times, strict=True)))
    trainer = Trainer(config)
    assert trainer.arithmetic == device.CANDIDATES[index]
    assert trainer.gain == (1.0 if index == 0 else pytest.approx(times[0] / times[index]))
    (step,) = list(Trainer(replace(config, max_steps=1)))
    assert step.content > 0
    weight = trainer.net.res1.conv1.conv2d.weight
    assert weight.is_contiguous(memory_format=trainer.arithmetic.memory_format)


def test_a_resumed_run_computes_as_its_checkpoint_did_whatever_is_faster_now(seconds, config, tmp_path):
    seconds(dict(zip(device.CANDIDATES, (1.0, 0.5, 2.0), strict=True)))
    before = Trainer(config)
    before.save(tmp_path / "before.ckpt")
    seconds(dict(zip(device.CANDIDATES, (1.0, 2.0, 0.5), strict=True)))
    after = Trainer(config)
    assert (before.arithmetic, after.arithmetic) == device.CANDIDATES[1:]
    after.load(tmp_path / "before.ckpt")
    assert after.arithmetic == before.arithmetic


def test_resume_auto_begins_at_the_first_step_or_where_the_run_was_stopped(config, tmp_path, capsys):
    config = replace(config, mixed_precision="no")
    run_dir = tmp_path / "run"
    path = train(config, tmp_path / "saved", run_dir=run_dir, resume=AUTO)
    assert "resumed" not in capsys.readouterr().err
    assert Path(path).is_file()
    train(replace(config, max_steps=3), tmp_path / "saved", run_dir=run_dir, resume=AUTO)
    assert "resumed from" in capsys.readouterr().err
