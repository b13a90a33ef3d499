"""Commands on PyTorch networks: train, eval, export. Flags that upstream's script has keep upstream's names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import OutputModel, note, parent_exists, parse_size
from fns_lab.errors import InputError, MissingError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from onnx import ModelProto

    from fns_lab.training.loop import Trainer

Cuda = Annotated[int | None, typer.Option(help="1: only with CUDA; 0: on the CPU; without it, the best there is.")]
Accel = Annotated[bool, typer.Option("--accel", help="Only with an accelerator (CUDA, MPS, XPU).")]


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
    _prefer_cpu(_device(cuda, accel) == "cpu")
    from fns_lab.training.data import Photographs
    from fns_lab.training.loop import TrainConfig, Trainer

    steps = max_steps or epochs * Photographs(dataset, image_size, batch_size, seed).steps_per_epoch
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
        )
    )
    if resume:
        _resume(trainer, resume)
    for folder in filter(None, (save_model_dir, checkpoint_model_dir)):
        folder.mkdir(parents=True, exist_ok=True)
    _run_training(trainer, log_interval, checkpoint_interval, checkpoint_model_dir)
    _save_trained(trainer, save_model_dir / f"{style_image.stem}_nc{num_channels}.pth")


def eval(
    content_image: Annotated[Path, typer.Option(help="The picture to stylize.")],
    model: Annotated[Path, typer.Option(help="A network: .pth or .model, or an .onnx file.")],
    output_image: Annotated[Path, typer.Option(help="Where the stylized picture goes.")],
    content_scale: Annotated[float | None, typer.Option(help="Divide height and width by this first.")] = None,
    cuda: Cuda = None,
    accel: Accel = False,
    export_onnx: Annotated[
        Path | None, typer.Option("--export_onnx", help="Also export the network, at the picture's size.")
    ] = None,
    target_framework: Annotated[str | None, typer.Option(help="Lower that export for this target.")] = None,
) -> None:
    """Stylize a picture.

    \b
    Examples:
      fns-lab eval --model saved_models/mosaic_nc16.pth --content-image photo.jpg --output-image out.png
      fns-lab eval --model mosaic.onnx --content-image photo.jpg --content-scale 2 --output-image out.png
    """
    from fns_lab import images

    parent_exists(output_image)
    if target_framework and not export_onnx:
        raise InputError("--target-framework lowers what --export_onnx writes: give both")
    if model.suffix.lower() == ".onnx":
        if export_onnx:
            raise InputError(f"{model}: is ONNX already; --export_onnx takes a .pth or .model")
        images.save(_eval_onnx(model, content_image, content_scale), output_image)
        return
    import torch

    from fns_lab.nets import checkpoints
    from fns_lab.nets.transformer import stylize

    device = _device(cuda, accel)
    net = checkpoints.load(model)
    x = images.load(content_image, scale=content_scale)
    images.save(stylize(net.to(device), torch.from_numpy(x).to(device)).cpu().numpy(), output_image)
    if export_onnx:
        _export(net.cpu(), export_onnx, x.shape[2:], target=target_framework)


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="A .pth or .model file.", show_default=False)],
    output: OutputModel,
    size: Annotated[str, typer.Option(metavar="HxW", help="Height and width, pixels.")] = "256x256",
    opset: Annotated[
        int | None, typer.Option(help="Opset to export at; without it, the exporter's own choice.")
    ] = None,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Leave height and width open.")] = False,
    target: Annotated[str | None, typer.Option(metavar="T", help="Lower it for this target as well.")] = None,
) -> int:
    """Export a network to ONNX, at a fixed size unless --dynamic.

    \b
    Examples:
      fns-lab export saved_models/mosaic_nc16.pth -o mosaic.onnx --size 128x128
      fns-lab export saved_models/mosaic_nc16.pth -o mosaic.js.onnx --size 128x128 --target onnxjs-0.1.8/wasm
    """
    from fns_lab.nets import checkpoints

    if dynamic and target:
        raise InputError("--dynamic and --target: a smaller runtime wants one size; leave --dynamic out")
    net = checkpoints.load(checkpoint)
    return _export(net, output, parse_size(size), target=target, dynamic=dynamic, opset=opset)


def _export(
    net: torch.nn.Module,
    output: Path,
    size: tuple[int, int],
    *,
    target: str | None,
    dynamic: bool = False,
    opset: int | None = None,
) -> int:
    from fns_lab import models, targets
    from fns_lab.export import onnx_from_torch

    parent_exists(output)
    aim = targets.load(target) if target else None
    model = onnx_from_torch(net, size, dynamic=dynamic, **({} if opset is None else {"opset": opset}))
    supported = True
    if aim:
        from fns_lab.rewrite.lower import lower

        lowering = lower(model, aim)
        model, supported = lowering.model, lowering.supported
        print(lowering)
    models.save(model, output)
    print(f"{output}: {sum(models.count_ops(model).values())} nodes, opset {models.opset(model)}")
    return 0 if supported else 1


def _eval_onnx(path: Path, picture: Path, scale: float | None) -> np.ndarray:
    """The picture through an ONNX file in ONNX Runtime, 0..255; at the picture's own size if the model's is open."""
    from fns_lab import images, models
    from fns_lab.nets.transformer import DOWNSAMPLING, SMALLEST_SIDE_PX
    from fns_lab.runtimes import open_runner

    model = models.load(path)
    name, (h, w) = _picture_input(model, path)
    fixed = isinstance(h, int) and isinstance(w, int)
    x = images.load(picture, scale=scale, size=(h, w) if fixed else None)
    height, width = x.shape[2:]
    if fixed:
        note(f"{path} takes {h}x{w} pixels only: the picture is scaled and cut to that")
    else:
        if min(height, width) < SMALLEST_SIDE_PX:
            raise InputError(f"{picture}: {height}x{width} px is too small; give at least {SMALLEST_SIDE_PX} a side")
        x = _edge_pad(x, DOWNSAMPLING)
    with open_runner(model, "ort/cpu") as runner:
        y = next(iter(runner.infer({name: x}).values()))
    return y[..., :height, :width]


def _picture_input(model: ModelProto, path: Path) -> tuple[str, tuple[int | str, int | str]]:
    from fns_lab import models

    shapes = models.input_shapes(model)
    ((name, shape),) = shapes.items() if len(shapes) == 1 else ((None, ()),)
    if len(shape) != 4 or shape[1] != 3:
        raise InputError(f"{path}: not a style network; its inputs are {shapes}, one of 1x3xHxW is wanted")
    return name, shape[2:]


def _edge_pad(x: np.ndarray, multiple: int) -> np.ndarray:
    import numpy as np

    h, w = x.shape[2:]
    return np.pad(x, ((0, 0), (0, 0), (0, -h % multiple), (0, -w % multiple)), mode="edge")


def _device(cuda: int | None, accel: bool) -> str:
    """The torch device that the flags ask for. Raises `MissingError` when it is not there."""
    import torch

    if cuda not in (None, 0, 1):
        raise InputError(f"--cuda {cuda}: give 1 or 0")
    if cuda == 0 and accel:
        raise InputError("--cuda 0 and --accel contradict each other; leave one out")
    if cuda == 1 and not torch.cuda.is_available():
        raise MissingError("CUDA is not available here; leave --cuda out, or see `fns-lab doctor`")
    if accel and not torch.accelerator.is_available():
        raise MissingError("no accelerator is available here; leave --accel out, or see `fns-lab doctor`")
    if cuda == 0 or not torch.accelerator.is_available():
        return "cpu"
    return "cuda" if cuda else torch.accelerator.current_accelerator().type


def _prefer_cpu(wanted: bool) -> None:
    """Tell accelerate, which picks the device when the trainer is made."""
    import os

    if wanted:
        os.environ["ACCELERATE_USE_CPU"] = "true"


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
