"""Run a training from photographs to a network with its model card, and write checkpoints, losses and previews."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import numpy as np
from tqdm import tqdm

from fns_lab import images
from fns_lab.files import sweep, write_text
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import TransformerNet
from fns_lab.training import log, snapshots
from fns_lab.training.card import card, result_name
from fns_lab.training.config import TrainConfig
from fns_lab.training.history import Stage, Step
from fns_lab.training.loop import Trainer
from fns_lab.training.preview import Preview

AUTO = "auto"
"""As `resume`: from the run's own newest checkpoint, if it has one."""


@dataclass(frozen=True)
class Intervals:
    """How often a run prints, saves and shows its state.

    - `log_interval`: steps between two printed lines
    - `checkpoint_interval`: steps between two checkpoints
    - `preview_interval`: steps between two preview images; None: no previews
    - `show`: called with each preview, `(1, 3, H, W)`, RGB, 0..255; see `Preview.strip`
    """

    log_interval: int = 500
    checkpoint_interval: int = 2000
    preview_interval: int | None = None
    show: Callable[[np.ndarray], None] | None = None


def train(
    config: TrainConfig,
    save_model_dir: Path,
    *,
    run_dir: Path | None = None,
    resume: Path | str | None = None,
    intervals: Intervals = Intervals(),
) -> Path:
    """Train a network, write it and its model card to `save_model_dir`, and return the network's path.

    The network maps `(N, 3, H, W)` to the same, RGB, 0..255. Checkpoints, losses, their plot and previews go to
    `run_dir` (None: the folder of `resume`, else a folder beside the network). `resume` is a checkpoint or a folder of
    them, or `AUTO`: the newest one in `run_dir`, and the first step if there is none. Every process of
    `accelerate launch` or `notebook_launcher` calls this; one of them writes and prints. Ctrl-C finishes the current
    step, writes a checkpoint, and raises `KeyboardInterrupt` with a line that says how to resume. Raises `InputError`
    for settings or files that the run cannot use, and for a loss of NaN or Inf.
    """
    path = save_model_dir / f"{result_name(config)}.pth"
    given = Path(resume) if resume and resume != AUTO else None
    folder = run_dir or _folder_of(given) or path.with_name(f"{path.stem}_run")
    since = folder if resume == AUTO and any(folder.glob(f"*{snapshots.SUFFIX}")) else given
    trainer = Trainer(config)
    if since:
        _resume(trainer, since)
    elif trainer.gain is not None:
        _print_once(
            trainer, f"training in {trainer.arithmetic}: {trainer.gain:.1f} times as fast as plain float32 here"
        )
    if trainer.is_main:
        _print_skipped(trainer)
        save_model_dir.mkdir(parents=True, exist_ok=True)
        folder.mkdir(parents=True, exist_ok=True)
        sweep(folder)
    with _interrupt_after_the_step(trainer):
        _iterate(trainer, folder, intervals)
    if trainer.step < trainer.total:
        raise KeyboardInterrupt(
            f"stopped after step {trainer.step} of {trainer.total}; to resume: the same command and --resume {folder}"
        )
    if trainer.is_main:
        log.plot(folder / log.CSV, folder / log.PNG)
        _save_trained(trainer, path)
    trainer.accelerator.wait_for_everyone()
    return path


def _iterate(trainer: Trainer, folder: Path, intervals: Intervals) -> None:
    """Take every step; in the main process also log, save and show."""
    if not trainer.is_main:
        for _ in trainer:
            pass
        return
    preview = Preview(trainer.data) if intervals.preview_interval else None
    with _progress_bar(trainer) as bar, log.LossLog(folder / log.CSV, trainer.step) as losses:
        for step in trainer:
            losses.add(step)
            _update_bar(bar, step, trainer)
            if trainer.is_stopping or step.step % intervals.log_interval == 0:
                bar.write(
                    f"step {step.step}: content {step.content:.4g}, style {step.style:.4g}, {step.seconds:.2f} s",
                    file=sys.stderr,
                )
            if preview and intervals.preview_interval and step.step % intervals.preview_interval == 0:
                strip = preview.strip(trainer.accelerator.unwrap_model(trainer.net))
                images.save(strip, folder / f"preview_{step.step:07d}.png")
                if intervals.show:
                    intervals.show(strip)
            if trainer.is_stopping or step.step % intervals.checkpoint_interval == 0:
                trainer.save(folder / snapshots.name(step.step))


def _progress_bar(trainer: Trainer) -> tqdm[NoReturn]:
    layout = "{percentage:3.0f}%|{bar}| step {n_fmt} of {total_fmt} [{elapsed}, {remaining} left{postfix}]"
    return tqdm(total=trainer.total, initial=trainer.step, bar_format=layout, mininterval=0.5)


def _update_bar(bar: tqdm[NoReturn], step: Step, trainer: Trainer) -> None:
    rate = (bar.format_dict["rate"] or 1 / step.seconds) * trainer.data.batch_size
    bar.set_postfix_str(f"{rate:.1f} images/s, content {step.content:.3g}, style {step.style:.3g}", refresh=False)
    bar.update()


@contextlib.contextmanager
def _interrupt_after_the_step(trainer: Trainer) -> Iterator[None]:
    """Let Ctrl-C end the run after the current step, since half a step must not be saved; a second one ends it now."""
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield
        return
    asked = False

    def ask(*_: object) -> None:
        nonlocal asked
        if asked:
            raise KeyboardInterrupt
        asked = True
        trainer.ask_to_stop()

    signal.signal(signal.SIGINT, ask)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _save_trained(trainer: Trainer, path: Path) -> None:
    """Write the network and, beside it, its model card."""
    net = TransformerNet(trainer.config.num_channels)
    net.load_state_dict(trainer.state_dict())
    checkpoints.save(net, path)
    write_text(path.with_suffix(".md"), card(trainer, path.stem))


def _resume(trainer: Trainer, path: Path) -> None:
    checkpoint, skipped = snapshots.newest_readable(path)
    trainer.load(checkpoint)
    for reason in skipped:
        _print_once(trainer, f"skipped: {reason}")
    _print_once(trainer, f"resumed from {checkpoint}, step {trainer.step}")
    stage, before = trainer.history.stages[-1], trainer.history.stages[-2:-1]
    if before and stage.first_step == trainer.step + 1:
        _print_once(trainer, f"changed from {_settings(before[0])} to {_settings(stage)}")


def _folder_of(resume: Path | None) -> Path | None:
    return resume if resume is None or resume.is_dir() else resume.parent


def _print_skipped(trainer: Trainer) -> None:
    data = trainer.data
    if data.skipped:
        total = len(data.paths) + len(data.skipped)
        _print_once(trainer, f"skipping {len(data.skipped)} of {total} images:")
        for fault in data.skipped.values():
            _print_once(trainer, f"  {fault}")


def _settings(stage: Stage) -> str:
    return f"content weight {stage.content_weight:g}, style weight {stage.style_weight:g}, lr {stage.lr:g}"


def _print_once(trainer: Trainer, message: str) -> None:
    """Print on stderr, in the main process only."""
    if trainer.is_main:
        print(message, file=sys.stderr)
