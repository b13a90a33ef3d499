"""Commands on trained networks: eval and export. Flags that upstream's script also has keep upstream's names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import OutputModel, note, parent_exists, parse_size
from fns_lab.cli.devices import Accel, Cuda, pick_device
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import torch
    from onnx import ModelProto


def eval(
    content_image: Annotated[Path, typer.Option(help="The image to stylize.")],
    model: Annotated[Path, typer.Option(help="A network: .pth or .model, or an .onnx file.")],
    output_image: Annotated[Path, typer.Option(help="File to write the stylized image to.")],
    content_scale: Annotated[
        float | None, typer.Option(help="Divide the content image's height and width by this.")
    ] = None,
    cuda: Cuda = None,
    accel: Accel = False,
    export_onnx: Annotated[
        Path | None, typer.Option("--export_onnx", help="Also export the network to this file, at the image's size.")
    ] = None,
    target_framework: Annotated[str | None, typer.Option(help="Lower the exported model for this target.")] = None,
) -> None:
    """Stylize an image.

    \b
    Examples:
      fns-lab eval --model saved_models/mosaic_nc16.pth --content-image photo.jpg --output-image out.png
      fns-lab eval --model mosaic.onnx --content-image photo.jpg --content-scale 2 --output-image out.png
    """
    from fns_lab import images

    parent_exists(output_image)
    if target_framework and not export_onnx:
        raise InputError("--target-framework lowers the model that --export_onnx writes: give both")
    if model.suffix.lower() == ".onnx":
        if export_onnx:
            raise InputError(f"{model}: already ONNX; --export_onnx takes a .pth or .model file")
        images.save(_eval_onnx(model, content_image, content_scale), output_image)
        return
    import torch

    from fns_lab.nets import checkpoints
    from fns_lab.nets.transformer import stylize

    device = pick_device(cuda, accel)
    net = checkpoints.load(model)
    x = images.load(content_image, scale=content_scale)
    images.save(stylize(net.to(device), torch.from_numpy(x).to(device)).cpu().numpy(), output_image)
    if export_onnx:
        _export(net.cpu(), export_onnx, x.shape[2:], target=target_framework)


def export(
    checkpoint: Annotated[Path, typer.Argument(metavar="CKPT", help="A .pth or .model file.", show_default=False)],
    output: OutputModel,
    size: Annotated[str, typer.Option(metavar="HxW", help="Height and width, pixels.")] = "256x256",
    opset: Annotated[int | None, typer.Option(help="Opset to export at; default: the exporter's.")] = None,
    dynamic: Annotated[bool, typer.Option("--dynamic", help="Leave height and width free.")] = False,
    target: Annotated[str | None, typer.Option(metavar="T", help="Also lower the model for this target.")] = None,
) -> int:
    """Export a network to ONNX, at a fixed size unless --dynamic.

    \b
    Examples:
      fns-lab export saved_models/mosaic_nc16.pth -o mosaic.onnx --size 128x128
      fns-lab export saved_models/mosaic_nc16.pth -o mosaic.js.onnx --size 128x128 --target onnxjs-0.1.8/wasm
    """
    from fns_lab.nets import checkpoints

    if dynamic and target:
        raise InputError("--dynamic and --target: lowering needs a fixed size; leave --dynamic out")
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
    lower_for = targets.load(target) if target else None
    model = onnx_from_torch(net, size, dynamic=dynamic, **({} if opset is None else {"opset": opset}))
    supported = True
    if lower_for:
        from fns_lab.rewrite.lower import lower

        lowering = lower(model, lower_for)
        model, supported = lowering.model, lowering.supported
        print(lowering)
    models.save(model, output)
    print(f"{output}: {sum(models.count_ops(model).values())} nodes, opset {models.opset(model)}")
    return 0 if supported else 1


def _eval_onnx(path: Path, image: Path, scale: float | None) -> np.ndarray:
    """Return the image stylized by an ONNX file in ONNX Runtime, `(1, 3, H, W)`, RGB, 0..255.

    H and W are those of the model, or of the image if the model leaves them free.
    """
    from fns_lab import images, models
    from fns_lab.nets.transformer import DOWNSAMPLING, SMALLEST_SIZE_PX
    from fns_lab.runtimes import open_runner

    model = models.load(path)
    name, (h, w) = _image_input(model, path)
    size = (h, w) if isinstance(h, int) and isinstance(w, int) else None
    x = images.load(image, scale=scale, size=size)
    height, width = x.shape[2:]
    if size:
        note(f"{path} takes {h}x{w} pixels only: the image is scaled and cut to that")
    else:
        if min(height, width) < SMALLEST_SIZE_PX:
            least = f"{SMALLEST_SIZE_PX}x{SMALLEST_SIZE_PX}"
            raise InputError(f"{image}: {height}x{width} px is too small; give at least {least}")
        x = _edge_pad(x, DOWNSAMPLING)
    with open_runner(model, "ort/cpu") as runner:
        y = next(iter(runner.infer({name: x}).values()))
    return y[..., :height, :width]


def _image_input(model: ModelProto, path: Path) -> tuple[str, tuple[int | str, int | str]]:
    from fns_lab import models

    shapes = models.input_shapes(model)
    for name, shape in shapes.items():
        if len(shapes) == 1 and len(shape) == 4 and shape[1] == 3:
            return name, (shape[2], shape[3])
    raise InputError(f"{path}: not a style network; its inputs are {shapes}, not a single one of 1x3xHxW")


def _edge_pad(x: np.ndarray, multiple: int) -> np.ndarray:
    import numpy as np

    h, w = x.shape[2:]
    return np.pad(x, ((0, 0), (0, 0), (0, -h % multiple), (0, -w % multiple)), mode="edge")
