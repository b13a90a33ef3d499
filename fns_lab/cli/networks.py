"""The command on trained networks: eval. Flags that upstream's script also has keep upstream's names."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.common import checked_folder, checked_model, checked_output, keep_inputs
from fns_lab.cli.devices import Device, pick_device
from fns_lab.cli.stylizing import is_many, stylize_all, stylizer_of_model, stylizer_of_net
from fns_lab.errors import InputError


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
    device: Device = None,
    export_onnx: Annotated[
        Path | None, typer.Option("--export_onnx", help="Also export the network to this file, at the image's size.")
    ] = None,
    target_framework: Annotated[str | None, typer.Option(help="Lower the exported model for this target.")] = None,
) -> int:
    """Stylize an image, or many.

    Of several images, or a folder, one is done if its output is newer than it and the network. One that can't be
    stylized is named and left out, exit 1. `accelerate launch -m fns_lab eval ...` shares them between processes.

    \b
    Examples:
      fns-lab eval --model saved_models/mosaic_nc16.pth --content-image photo.jpg --output-image out.png
      fns-lab eval --model mosaic.onnx --content-image photo.jpg --content-scale 2 --output-image out.png
      fns-lab eval --model saved_models/mosaic_nc16.pth --content-image photos --output-image stylized
    """
    from fns_lab import images, targets
    from fns_lab.cli.export import write
    from fns_lab.export import export as export_network

    many, is_onnx = is_many(content_image), model.suffix.lower() == ".onnx"
    if target_framework and not export_onnx:
        raise InputError("--target-framework lowers the model that --export_onnx writes: give both")
    lower_for = targets.load(target_framework) if target_framework else None
    if export_onnx:
        _check_export(export_onnx, model, is_onnx=is_onnx, many=many)
    if many:
        checked_folder(output_image)
    else:
        checked_output(output_image, images.SUFFIXES, "use .png or .jpg")
        keep_inputs(output_image, content_image[0], model)
    if is_onnx:
        stylized = stylizer_of_model(model, content_scale)
    else:
        from fns_lab.nets import checkpoints

        picked = pick_device(device)
        net = checkpoints.load(model)
        scratch = output_image if many and output_image.is_dir() else output_image.parent
        stylized = stylizer_of_net(net, content_scale, picked, scratch)
    if many:
        return stylize_all(content_image, output_image, model, stylized, overwrite=overwrite)
    y = stylized(content_image[0])
    images.save(y, output_image)
    print(f"{output_image}: {y.shape[2]}x{y.shape[3]}")
    return write(export_network(net.cpu(), y.shape[2:]).model, export_onnx, lower_for) if export_onnx else 0


def _check_export(path: Path, model: Path, *, is_onnx: bool, many: bool) -> None:
    """Raise `InputError`, before the work begins, if the network cannot be exported to `path`."""
    if is_onnx:
        raise InputError(f"{model}: already ONNX; --export_onnx takes a .pth or .model file")
    if many:
        raise InputError("--export_onnx exports at the size of one image: give one --content-image")
    checked_model(path, model)
