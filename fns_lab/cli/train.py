"""The train command. Flags that upstream's script has keep upstream's names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import note
from fns_lab.cli.devices import Accel, Cuda, pick_device, prefer_cpu
from fns_lab.errors import InputError

if TYPE_CHECKING:
    from fns_lab.training.data import Photographs
    from fns_lab.training.loop import Trainer


def train(
    dataset: Annotated[Path, typer.Option(help="Folder of photographs, nested or not.")],
    style_image: Annotated[Path, typer.Option(help="The style picture.")],
    save_model_dir: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    checkpoint_model_dir: Annotated[Path | None, typer.Option(help="Folder for checkpoints on the way.")] = None,
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
    max_steps: Annotated[int | None, typer.Option(min=1, help="Steps in all, in place of --epochs.")] = None,
    resume: Annotated[Path | None, typer.Option(help="A checkpoint to go on from, or a folder of them.")] = None,
) -> None:
    """Train a style network on a folder of photographs.

    \b
    Examples:
      fns-lab train --dataset photos/ --style-image data/style-images/mosaic.jpg \\
          --save-model-dir saved_models --num-channels 16 --max-steps 800
    """
    prefer_cpu(pick_device(cuda, accel) == "cpu")
    from fns_lab.training.data import Photographs
    from fns_lab.training.loop import TrainConfig, Trainer

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
        ),
        data,
    )
    if resume:
        _resume(trainer, resume)
    _name_skipped(data)
    for folder in filter(None, (save_model_dir, checkpoint_model_dir)):
        folder.mkdir(parents=True, exist_ok=True)
    _run_training(trainer, log_interval, checkpoint_interval, checkpoint_model_dir)
    _save_trained(trainer, save_model_dir / f"{style_image.stem}_nc{num_channels}.pth")


def _name_skipped(data: Photographs) -> None:
    if data.skipped:
        note(f"skips {len(data.skipped)} of {len(data.paths) + len(data.skipped)} pictures:")
        for fault in data.skipped.values():
            note(f"  {fault}")


def _run_training(trainer: Trainer, log_interval: int, checkpoint_interval: int, folder: Path | None) -> None:
    from tqdm import tqdm

    total = trainer.config.max_steps
    with tqdm(total=total, initial=trainer.step, unit="step") as bar:
        for step in trainer:
            bar.update()
            if step.step % log_interval == 0 or step.step == total:
                bar.write(f"step {step.step}: content {step.content:.4g}, style {step.style:.4g}, {step.seconds:.2f} s")
            if folder and step.step % checkpoint_interval == 0:
                trainer.save(folder / f"step_{step.step:07d}.ckpt")


def _save_trained(trainer: Trainer, path: Path) -> None:
    from fns_lab.nets import checkpoints
    from fns_lab.nets.transformer import TransformerNet

    net = TransformerNet(trainer.config.num_channels)
    net.load_state_dict(trainer.state_dict())
    checkpoints.save(net, path)
    print(path)


def _resume(trainer: Trainer, path: Path) -> None:
    """Load a checkpoint; of a folder, the newest that is whole."""
    candidates = sorted(path.glob("*.ckpt"), reverse=True) if path.is_dir() else [path]
    for candidate in candidates:
        try:
            trainer.load(candidate)
        except FileNotFoundError:
            raise InputError(f"{candidate}: no such file") from None
        except Exception as error:  # torch, pickle, zipfile and KeyError: whatever a file that is none can cause
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            note(f"{candidate}: not a checkpoint of this run ({reason[:200]})")
            continue
        note(f"goes on from {candidate}, step {trainer.step}")
        return
    raise InputError(f"{path}: no whole checkpoint of a width {trainer.config.num_channels} network to go on from")
