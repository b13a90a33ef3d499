"""The train command. Flags that upstream's script also has keep upstream's names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.devices import Device, pick_device, prefer


def train(
    dataset: Annotated[Path, typer.Option(help="Folder of photographs, nested or not, such as data/photos.")],
    style_image: Annotated[Path, typer.Option(help="The style image.")],
    save_model_dir: Annotated[Path, typer.Option(help="Folder for the trained network.")],
    checkpoint_model_dir: Annotated[
        Path | None, typer.Option(help="Folder for checkpoints, losses and previews.")
    ] = None,
    epochs: Annotated[int, typer.Option(min=1, help="Passes over the photographs.")] = 2,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs per step, in each process.")] = 4,
    image_size: Annotated[int, typer.Option(min=16, help="Height and width of the square crops, pixels.")] = 256,
    style_size: Annotated[
        int | None, typer.Option(min=16, help="Scale the style image so that its shorter edge has this length, pixels.")
    ] = None,
    device: Device = None,
    seed: Annotated[int, typer.Option(help="Seed of the initial weights and the crops.")] = 42,
    content_weight: Annotated[float, typer.Option(help="Weight of the content loss.")] = 1e5,
    style_weight: Annotated[float, typer.Option(help="Weight of the style loss.")] = 1e10,
    lr: Annotated[float, typer.Option(help="Learning rate of Adam.")] = 1e-3,
    log_interval: Annotated[int, typer.Option(min=1, help="Steps between two printed lines.")] = 500,
    checkpoint_interval: Annotated[int, typer.Option(min=1, help="Steps between two checkpoints.")] = 2000,
    num_channels: Annotated[int, typer.Option(min=1, help="Width of the network.")] = 32,
    loss_weights: Annotated[
        str | None,
        typer.Option(help="Weights of the loss network: torchvision (a download), or its file vgg16-397923af.pth."),
    ] = None,
    init: Annotated[
        Path | None,
        typer.Option(help="A trained network of the same width to start from, instead of random weights."),
    ] = None,
    mixed_precision: Annotated[
        str,
        typer.Option(
            help="bf16: convolve in bfloat16; no: float32; auto: what a second of measuring shows to be faster."
        ),
    ] = "auto",
    max_steps: Annotated[int | None, typer.Option(min=1, help="Total number of steps, instead of --epochs.")] = None,
    preview_interval: Annotated[int | None, typer.Option(min=1, help="Steps between two preview images.")] = None,
    resume: Annotated[
        str | None,
        typer.Option(help="A checkpoint to resume from, or a folder of them; auto: the run's own, if it has any."),
    ] = None,
) -> None:
    """Train a style network on a folder of photographs.

    \b
    Examples:
      fns-lab train --dataset data/photos --style-image data/style-images/mosaic.jpg \\
          --save-model-dir saved_models --num-channels 16 --max-steps 800
    """
    prefer(pick_device(device))
    from accelerate import PartialState

    from fns_lab.nets.vgg import WEIGHTS
    from fns_lab.training.config import TrainConfig
    from fns_lab.training.run import AUTO, Intervals
    from fns_lab.training.run import train as run

    config = TrainConfig(
        dataset=dataset,
        style_image=style_image,
        epochs=epochs,
        max_steps=max_steps,
        batch_size=batch_size,
        image_size=image_size,
        style_size=style_size,
        content_weight=content_weight,
        style_weight=style_weight,
        lr=lr,
        seed=seed,
        num_channels=num_channels,
        loss_weights=loss_weights or WEIGHTS,
        init=init,
        mixed_precision=mixed_precision,
    )
    intervals = Intervals(log_interval, checkpoint_interval, preview_interval)
    since = resume if resume in (None, AUTO) else Path(resume)
    path = run(config, save_model_dir, run_dir=checkpoint_model_dir, resume=since, intervals=intervals)
    if PartialState().is_main_process:
        print(path)
