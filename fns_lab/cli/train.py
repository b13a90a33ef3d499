"""The train command. Flags that upstream's script has keep upstream's names."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import note
from fns_lab.cli.devices import Accel, Cuda, pick_device, prefer_cpu
from fns_lab.files import whole_file

if TYPE_CHECKING:
    from tqdm import tqdm

    from fns_lab.training.data import Photographs
    from fns_lab.training.loop import Stage, Step, Trainer


def train(
    dataset: Annotated[Path, typer.Option(help="Folder of photographs, nested or not, such as data/photos.")],
    style_image: Annotated[Path, typer.Option(help="The style picture.")],
    save_model_dir: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    checkpoint_model_dir: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints, losses and previews.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Times through the photographs.")] = 2,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs a step.")] = 4,
    image_size: Annotated[int, typer.Option(min=16, help="Side of the square crops, pixels.")] = 256,
    style_size: Annotated[int | None, typer.Option(min=16, help="Shorter side of the style picture, pixels.")] = None,
    cuda: Cuda = None,
    accel: Accel = False,
    seed: Annotated[int, typer.Option(help="Seed of weights and crops.")] = 42,
    content_weight: Annotated[float, typer.Option(help="Weight of the content loss.")] = 1e5,
    style_weight: Annotated[float, typer.Option(help="Weight of the style loss.")] = 1e10,
    lr: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 1e-3,
    log_interval: Annotated[int, typer.Option(min=1, help="Steps between two printed lines.")] = 500,
    checkpoint_interval: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 2000,
    num_channels: Annotated[int, typer.Option(min=1, help="Width of the network.")] = 32,
    loss_weights: Annotated[
        str | None, typer.Option(help="Of the loss network: torchvision (a download), or its file vgg16-397923af.pth.")
    ] = None,
    max_steps: Annotated[int | None, typer.Option(min=1, help="Steps in all, in place of --epochs.")] = None,
    preview_interval: Annotated[int | None, typer.Option(min=1, help="Steps between two preview pictures.")] = None,
    resume: Annotated[Path | None, typer.Option(help="A checkpoint to go on from, or a folder of them.")] = None,
) -> None:
    """Train a style network on a folder of photographs.

    \b
    Examples:
      fns-lab train --dataset data/photos --style-image data/style-images/mosaic.jpg \\
          --save-model-dir saved_models --num-channels 16 --max-steps 800
    """
    prefer_cpu(pick_device(cuda, accel) == "cpu")
    from fns_lab import images
    from fns_lab.nets.vgg import WEIGHTS
    from fns_lab.training.card import result_name
    from fns_lab.training.data import Photographs
    from fns_lab.training.loop import TrainConfig, Trainer

    images.open_rgb(style_image)  # before the folder, which may take minutes to read
    data = Photographs(dataset, image_size, batch_size, seed)
    steps = max_steps or epochs * data.steps_per_epoch
    trainer = Trainer(
        TrainConfig(
            dataset=dataset,
            style_image=style_image,
            max_steps=steps,
            batch_size=batch_size,
            image_size=image_size,
            style_size=style_size,
            content_weight=content_weight,
            style_weight=style_weight,
            lr=lr,
            seed=seed,
            num_channels=num_channels,
            loss_weights=loss_weights or WEIGHTS,
        ),
        data,
    )
    if resume:
        _resume(trainer, resume)
    _name_skipped(data)
    name = result_name(trainer.config, None if max_steps else epochs)
    folder = checkpoint_model_dir or _folder_of(resume) or save_model_dir / f"{name}_run"
    for needed in (save_model_dir, folder):
        needed.mkdir(parents=True, exist_ok=True)
    _run_training(trainer, folder, log_interval, checkpoint_interval, preview_interval)
    _save_trained(trainer, save_model_dir / f"{name}.pth")


def _folder_of(resume: Path | None) -> Path | None:
    return resume if resume is None or resume.is_dir() else resume.parent


def _name_skipped(data: Photographs) -> None:
    if data.skipped:
        note(f"skips {len(data.skipped)} of {len(data.paths) + len(data.skipped)} pictures:")
        for fault in data.skipped.values():
            note(f"  {fault}")


def _run_training(
    trainer: Trainer, folder: Path, log_interval: int, checkpoint_interval: int, preview_interval: int | None
) -> None:
    """Train to the end, or to Ctrl-C, and leave checkpoints, previews, losses and their plot in the folder."""
    from fns_lab.training import log, snapshots
    from fns_lab.training.preview import Preview

    snapshots.sweep(folder)
    preview = preview_interval and Preview(trainer.data)
    total = trainer.config.max_steps
    with (
        _progress_bar(trainer) as bar,
        log.LossLog(folder / "losses.csv", trainer.step) as losses,
        _interrupt_after_the_step() as interrupted,
    ):
        for step in trainer:
            losses.add(step)
            _show(bar, step, trainer.config.batch_size)
            stops = step.step == total or interrupted.is_set()
            if stops or step.step % log_interval == 0:
                text = f"step {step.step}: content {step.content:.4g}, style {step.style:.4g}, {step.seconds:.2f} s"
                bar.write(text, file=sys.stderr)
            if preview and step.step % preview_interval == 0:
                preview.save(trainer.net, folder / f"preview_{step.step:07d}.png")
            if stops or step.step % checkpoint_interval == 0:
                trainer.save(folder / snapshots.name(step.step))
            if stops:
                break
    if trainer.step < total:
        note(f"stopped after step {trainer.step} of {total}; to go on: the same command and --resume {folder}")
        raise KeyboardInterrupt
    log.plot(folder / "losses.csv", folder / "losses.png")


def _progress_bar(trainer: Trainer) -> tqdm:
    from tqdm import tqdm

    layout = "{percentage:3.0f}%|{bar}| step {n_fmt} of {total_fmt} [{elapsed}, {remaining} left{postfix}]"
    return tqdm(total=trainer.config.max_steps, initial=trainer.step, bar_format=layout, mininterval=0.5)


def _show(bar: tqdm, step: Step, batch_size: int) -> None:
    rate = (bar.format_dict["rate"] or 1 / step.seconds) * batch_size
    bar.set_postfix_str(f"{rate:.1f} images/s, content {step.content:.3g}, style {step.style:.3g}", refresh=False)
    bar.update()


@contextlib.contextmanager
def _interrupt_after_the_step() -> Iterator[threading.Event]:
    """Ctrl-C sets the event and no more, since half a step must not be saved; a second one stops at once."""
    asked = threading.Event()
    before = signal.getsignal(signal.SIGINT)
    if before == signal.SIG_IGN or threading.current_thread() is not threading.main_thread():
        yield asked
        return

    def ask(*_: object) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()

    signal.signal(signal.SIGINT, ask)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _save_trained(trainer: Trainer, path: Path) -> None:
    """The network and its model card, side by side."""
    from fns_lab.nets import checkpoints
    from fns_lab.nets.transformer import TransformerNet
    from fns_lab.training.card import card

    net = TransformerNet(trainer.config.num_channels)
    net.load_state_dict(trainer.state_dict())
    checkpoints.save(net, path)
    with whole_file(path.with_suffix(".md")) as temporary:
        temporary.write_text(card(trainer, path.stem), encoding="utf-8")
    print(path)


def _resume(trainer: Trainer, path: Path) -> None:
    from fns_lab.training import snapshots

    checkpoint, passed_over = snapshots.newest_whole(path)
    for reason in passed_over:
        note(f"passed over: {reason}")
    trainer.load(checkpoint)
    note(f"goes on from {checkpoint}, step {trainer.step}")
    stage, before = trainer.history.stages[-1], trainer.history.stages[-2:-1]
    if before and stage.first_step == trainer.step + 1:
        note(f"from here on {_settings(stage)} in place of {_settings(before[0])}")


def _settings(stage: Stage) -> str:
    return f"content weight {stage.content_weight:g}, style weight {stage.style_weight:g}, lr {stage.lr:g}"
