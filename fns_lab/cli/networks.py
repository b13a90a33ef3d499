"""Commands on trained networks: eval and export. Flags that upstream's script also has keep upstream's names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import (
    OutputModel,
    checked_folder,
    checked_model,
    checked_output,
    keep_inputs,
    parse_size,
)
from fns_lab.cli.devices import Accel, Cuda, pick_device
from fns_lab.cli.stylizing import is_many, stylize_all, stylizer_of_model, stylizer_of_net
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import torch


def eval(
    content_image: Annotated[
        list[Path], typer.Option(help="An image to stylize, or a folder of them; may be given several times.")
    ],
    model: Annotated[Path, typer.Option(help="A network: .pth or .model, or an .onnx file.")],
    output_image: Annotated[Path, typer.Option(help="File to write the stylized image to; of several, the folder.")],
    content_scale: Annotated[
        float | None, typer.Option(help="Divide the content image's height and width by this.")
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Of several images, also write those again that are done.")
    ] = False,
    cuda: Cuda = None,
    accel: Accel = False,
    export_onnx: Annotated[
        Path | None, typer.Option("--export_onnx", help="Also export the network to this file, at the image's size.")
    ] = None,
    target_framework: Annotated[str | None, typer.Option(help="Lower the exported model for this target.")] = None,
) -> int:
    """Stylize an image, or many.

    Of several images, or a folder, one is done if its output is newer than it and the network. One that can't be
    stylized is named and left out, exit 1.

    \b
    Examples:
      fns-lab eval --model saved_models/mosaic_nc16.pth --content-image photo.jpg --output-image out.png
      fns-lab eval --model mosaic.onnx --content-image photo.jpg --content-scale 2 --output-image out.png
      fns-lab eval --model saved_models/mosaic_nc16.pth --content-image photos --output-image stylized
    """
    from fns_lab import images, targets

    many, is_onnx = is_many(content_image), model.suffix.lower() == ".onnx"
    if target_framework and not export_onnx:
        raise InputError("--target-framework lowers the model that --export_onnx writes: give both")
    if target_framework:
        targets.load(target_framework)
    if export_onnx and is_onnx:
        raise InputError(f"{model}: already ONNX; --export_onnx takes a .pth or .model file")
    if export_onnx and many:
        raise InputError("--export_onnx exports at the size of one image: give one --content-image")
    if export_onnx:
        checked_model(export_onnx, model)
    if many:
        checked_folder(output_image)
    else:
        checked_output(output_image, images.SUFFIXES, "use .png or .jpg")
        keep_inputs(output_image, content_image[0], model)
    if is_onnx:
        stylized = stylizer_of_model(model, content_scale)
    else:
        from fns_lab.nets import checkpoints

        device = pick_device(cuda, accel)
        net = checkpoints.load(model)
        stylized = stylizer_of_net(net, content_scale, device)
    if many:
        return stylize_all(content_image, output_image, model, stylized, overwrite=overwrite)
    y = stylized(content_image[0])
    images.save(y, output_image)
    return _export(net.cpu(), export_onnx, y.shape[2:], target=target_framework) if export_onnx else 0


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
    from fns_lab import targets
    from fns_lab.limits import require_memory
    from fns_lab.nets import checkpoints
    from fns_lab.nets.transformer import memory_bytes

    checked_model(output, checkpoint)
    if dynamic and target:
        raise InputError("--dynamic and --target: lowering needs a fixed size; leave --dynamic out")
    height, width = parse_size(size)
    if target:
        targets.load(target)
    net = checkpoints.load(checkpoint)
    require_memory(memory_bytes(net.width, height, width), f"--size {size}", "give a smaller size")
    return _export(net, output, (height, width), target=target, dynamic=dynamic, opset=opset)


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
