"""The command that writes the web site: networks and models in a page that runs them in the reader's browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.common import note
from fns_lab.errors import InputError

if TYPE_CHECKING:
    from onnx import ModelProto

    from fns_lab.targets import Target
    from fns_lab.views.site import SiteModel

SAMPLE = "astronaut"
"""The photograph that the page shows first."""
SAMPLE_SIZES = ((128, 128), (256, 256), (512, 512))
"""Heights and widths that the page offers for a network, pixels."""


def site(
    paths: Annotated[
        list[Path] | None,
        typer.Argument(metavar="[M.onnx|CKPT...]", help="Models and networks; default: those of saved_models/."),
    ] = None,
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="DIR", help="Folder to write to; created if it is not there.")
    ] = Path("reports/site"),
    single_file: Annotated[
        bool, typer.Option("--single-file", help="Write one HTML file that also opens from a disk.")
    ] = False,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Also write the file that `fns-lab tune` finds for each engine, in minutes each."),
    ] = False,
) -> None:
    """Write a web page that styles images, times this model in the reader's browser and finds where an engine is wrong.

    The folder works on any static host. The single file holds engines and models; by default those of width 8 alone.

    \b
    Examples:
      fns-lab site -o public
      fns-lab site mosaic.onnx saved_models/candy_nc8.pth -o public
      fns-lab site saved_models/mosaic_nc8.pth --single-file -o public
      fns-lab site saved_models/mosaic_nc8.pth --tune -o public
    """
    from fns_lab import images, photos
    from fns_lab.paths import SAVED_MODELS
    from fns_lab.views.site import write_folder, write_single_file

    if output.is_file():
        raise InputError(f"{output}: a file, not a folder")
    chosen = paths or sorted(SAVED_MODELS.glob("*_nc8.pth" if single_file else "*.pth"), key=_style_and_width)
    if twice := {path.stem for path in chosen if [p.stem for p in chosen].count(path.stem) > 1}:
        raise InputError(f"two models are called '{twice.pop()}': rename one of the files")
    models = []
    for path in chosen:
        note(f"{path.name}: converting it for each engine")
        models.append(_onnx(path) if path.suffix.lower() == ".onnx" else _network(path))
    sizes = sorted({*SAMPLE_SIZES, *(size for model in models for size in model.sizes)})
    samples = {size: images.png(photos.load(SAMPLE, size)) for size in sizes}
    write = write_single_file if single_file else write_folder
    page = write(models, samples, output, _tuned if tune else None)
    size = sum(path.stat().st_size for path in output.rglob("*") if path.is_file())
    print(f"{page}: {len(models)} model{'s'[: len(models) != 1]}, {size / 1e6:.1f} MB")


def _tuned(model: ModelProto, target: Target, size: tuple[int, int]) -> ModelProto | None:
    """Return the model tuned for a target at a height and width; None where that gains nothing."""
    from fns_lab import models
    from fns_lab.measure.tune import tune

    note(f"tuning for {target}, {size[0]} x {size[1]}")
    result = tune(model, target, shapes={next(iter(models.input_shapes(model))): (1, 3, *size)})
    return result.model if result.chosen == "tuned" else None


def _style_and_width(path: Path) -> tuple[str, int]:
    """Return `("mosaic", 16)` for `mosaic_nc16.pth`."""
    style, _, width = path.stem.rpartition("_nc")
    return style, int(width)


def _network(path: Path) -> SiteModel:
    """Return a style network with PyTorch's output for the sample."""
    import torch

    from fns_lab import photos
    from fns_lab.export import onnx_from_torch
    from fns_lab.nets import checkpoints
    from fns_lab.views.site.models import SIZES, SiteModel

    net = checkpoints.load(path)
    model = onnx_from_torch(net, SIZES[0], dynamic=True)
    with torch.inference_mode():
        expected = {size: net(torch.from_numpy(photos.load(SAMPLE, size))).numpy() for size in SIZES}
    width = int(net.conv1.conv2d.out_channels)
    return SiteModel(path.stem, model, path.stem.split("_nc")[0], width, expected, f"PyTorch {torch.__version__}")


def _onnx(path: Path) -> SiteModel:
    """Return an ONNX model with ONNX Runtime's output for the sample."""
    from fns_lab import models, photos
    from fns_lab.preprocessing import embedded
    from fns_lab.runtimes import run_in
    from fns_lab.views.site.models import SiteModel

    model = embedded(models.load(path))
    shapes = models.input_shapes(model)
    name, shape = next(iter(shapes.items()), ("", ()))
    if len(shapes) != 1 or len(shape) != 4 or shape[1] != 3 or len(model.graph.output) != 1:
        raise InputError(
            f"{path}: the site's own models take one image 1x3xHxW and give one output; this one takes {shapes}. "
            "Its page 'Your model' runs any other"
        )
    found = SiteModel(path.stem, model, path.stem)
    run = run_in("ort/cpu")
    expected = {size: next(iter(run(model, {name: photos.load(SAMPLE, size)}).values())) for size in found.sizes}
    return SiteModel(path.stem, model, path.stem, None, expected, "ONNX Runtime")
