"""A whole training run: from photographs to a network with its card, with all that it leaves on the way."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fns_lab import images
from fns_lab.files import atomic_write
from fns_lab.nets import checkpoints
from fns_lab.nets.transformer import TransformerNet
from fns_lab.training import log, snapshots
from fns_lab.training.card import card, result_name
from fns_lab.training.config import TrainConfig
from fns_lab.training.history import Stage, Step
from fns_lab.training.loop import Trainer
from fns_lab.training.preview import Preview


@dataclass(frozen=True)
class Reports:
    """How often a run says where it is, in steps. `show` is given each preview strip, as `Preview.strip` makes it."""

    log_interval: int = 500
    checkpoint_interval: int = 2000
    preview_interval: int | None = None
    show: Callable[[np.ndarray], None] | None = None


def train(
    config: TrainConfig,
    save_model_dir: Path,
    *,
    way_dir: Path | None = None,
    resume: Path | None = None,
    reports: Reports = Reports(),
) -> Path:
    """Train to the end; the path of the network, `(N, 3, H, W)` 0..255 in and out, beside its model card.

    Checkpoints, losses, their plot and previews go to `way_dir` (without one, to that of `resume`, else a folder beside
    the network). Every process of an `accelerate launch` or `notebook_launcher` calls it; one of them writes and talks.
    Ctrl-C ends the step under way, writes a checkpoint, and raises `KeyboardInterrupt`.
    Raises `InputError` for what the run cannot use and for a loss of NaN or Inf.
    """
    trainer = Trainer(config)
    if resume:
        _resume(trainer, resume)
    path = save_model_dir / f"{result_name(config)}.pth"
    folder = way_dir or _folder_of(resume) or path.with_name(f"{path.stem}_run")
    if trainer.is_main:
        _name_skipped(trainer)
        for needed in (save_model_dir, folder):
            needed.mkdir(parents=True, exist_ok=True)
        snapshots.sweep(folder)
    with _interrupt_after_the_step(trainer):
        _iterate(trainer, folder, reports)
    if trainer.step < trainer.total:
        _say(
            trainer,
            f"stopped after step {trainer.step} of {trainer.total}; to go on: the same command and --resume {folder}",
        )
        raise KeyboardInterrupt
    if trainer.is_main:
        log.plot(folder / log.CSV, folder / log.PNG)
        _save_trained(trainer, path)
    trainer.accelerator.wait_for_everyone()
    return path


def _iterate(trainer: Trainer, folder: Path, reports: Reports) -> None:
    """Take every step. The process that is not the main one has no more to do than that."""
    if not trainer.is_main:
        for _ in trainer:
            pass
        return
    preview = reports.preview_interval and Preview(trainer.data)
    with _progress_bar(trainer) as bar, log.LossLog(folder / log.CSV, trainer.step) as losses:
        for step in trainer:
            losses.add(step)
            _show(bar, step, trainer)
            if trainer.stops or step.step % reports.log_interval == 0:
                bar.write(
                    f"step {step.step}: content {step.content:.4g}, style {step.style:.4g}, {step.seconds:.2f} s",
                    file=sys.stderr,
                )
            if preview and step.step % reports.preview_interval == 0:
                strip = preview.strip(trainer.accelerator.unwrap_model(trainer.net))
                images.save(strip, folder / f"preview_{step.step:07d}.png")
                if reports.show:
                    reports.show(strip)
            if trainer.stops or step.step % reports.checkpoint_interval == 0:
                trainer.save(folder / snapshots.name(step.step))


def _progress_bar(trainer: Trainer) -> tqdm:
    layout = "{percentage:3.0f}%|{bar}| step {n_fmt} of {total_fmt} [{elapsed}, {remaining} left{postfix}]"
    return tqdm(total=trainer.total, initial=trainer.step, bar_format=layout, mininterval=0.5)


def _show(bar: tqdm, step: Step, trainer: Trainer) -> None:
    rate = (bar.format_dict["rate"] or 1 / step.seconds) * trainer.data.batch_size
    bar.set_postfix_str(f"{rate:.1f} images/s, content {step.content:.3g}, style {step.style:.3g}", refresh=False)
    bar.update()


@contextlib.contextmanager
def _interrupt_after_the_step(trainer: Trainer) -> Iterator[None]:
    """Ctrl-C asks the trainer to stop and no more, since half a step must not be saved; a second one stops at once."""
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
    """The network and its model card, side by side."""
    net = TransformerNet(trainer.config.num_channels)
    net.load_state_dict(trainer.state_dict())
    checkpoints.save(net, path)
    with atomic_write(path.with_suffix(".md")) as temporary:
        temporary.write_text(card(trainer, path.stem), encoding="utf-8")


def _resume(trainer: Trainer, path: Path) -> None:
    checkpoint, passed_over = snapshots.newest_whole(path)
    trainer.load(checkpoint)
    for reason in passed_over:
        _say(trainer, f"passed over: {reason}")
    _say(trainer, f"goes on from {checkpoint}, step {trainer.step}")
    stage, before = trainer.history.stages[-1], trainer.history.stages[-2:-1]
    if before and stage.first_step == trainer.step + 1:
        _say(trainer, f"from here on {_settings(stage)} in place of {_settings(before[0])}")


def _folder_of(resume: Path | None) -> Path | None:
    return resume if resume is None or resume.is_dir() else resume.parent


def _name_skipped(trainer: Trainer) -> None:
    data = trainer.data
    if data.skipped:
        _say(trainer, f"skips {len(data.skipped)} of {len(data.paths) + len(data.skipped)} images:")
        for fault in data.skipped.values():
            _say(trainer, f"  {fault}")


def _settings(stage: Stage) -> str:
    return f"content weight {stage.content_weight:g}, style weight {stage.style_weight:g}, lr {stage.lr:g}"


def _say(trainer: Trainer, message: str) -> None:
    """On stderr, once for all processes."""
    if trainer.is_main:
        print(message, file=sys.stderr)
