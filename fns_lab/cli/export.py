"""The command export: a network in PyTorch to ONNX."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from fns_lab.cli.arrays import drawn_input, image_settings, split_name
from fns_lab.cli.common import OutputModel, checked_model, note, parse_size
from fns_lab.cli.image_options import NO_IMAGE_OPTIONS, ImageOptions, takes_image_options
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto

    from fns_lab.export import Exported
    from fns_lab.export.sources import Source
    from fns_lab.targets import Target

ALL = "all"
"""Value of --dynamic for height and width of an image."""

Weights = Annotated[
    Path | None,
    typer.Option("--weights", metavar="FILE", help="A checkpoint or .safetensors for the network of module:factory."),
]


@takes_image_options
def export(
    network: Annotated[
        str,
        typer.Argument(metavar="NETWORK", help="A .pth, .model or .pt2 file, or module:factory.", show_default=False),
    ],
    output: OutputModel,
    size: Annotated[str, typer.Option(metavar="HxW", help="Height and width, pixels, of a style network.")] = "256x256",
    input: Annotated[
        list[str] | None,
        typer.Option(
            "--input", metavar="X=1x3x224x224:float32", help="An input of module:factory: shape and type, or an .npy."
        ),
    ] = None,
    opset: Annotated[int | None, typer.Option(help="Opset to export at; default: the exporter's.")] = None,
    dynamic: Annotated[
        list[str] | None,
        typer.Option(
            "--dynamic", metavar="X.2", help="Leave an axis free; alone: height and width of a style network."
        ),
    ] = None,
    target: Annotated[str | None, typer.Option(metavar="T", help="Also lower the model for this target.")] = None,
    weights: Weights = None,
    image: ImageOptions = NO_IMAGE_OPTIONS,
) -> int:
    """Export a network to ONNX, with fixed sizes unless --dynamic.

    module:factory names a function or class in your own code, or in an installed package, that makes the network; it
    runs. Each of its inputs is given as NAME=SHAPE:TYPE (float32 by default) with the name of a parameter of forward, a
    list as features.0=..., features.1=... Files are read as data: nothing in a .pth or .pt2 runs. --weights gives the
    network trained weights. --dynamic x.2 leaves axis 2 of x free, --dynamic x.2=height also names it.

    --scale, --mean, --std, --layout and --fit, --crop or --pad say how a photograph becomes the input. They are written
    into the model, and run, compare and bench follow them.

    \b
    Examples:
      fns-lab export saved_models/mosaic_nc16.pth -o mosaic.onnx --size 128x128
      fns-lab export saved_models/mosaic_nc16.pth -o mosaic.js.onnx --size 128x128 --target onnxjs-0.1.8/wasm
      fns-lab export torchvision.models:resnet18 --input x=1x3x224x224 -o resnet18.onnx
      fns-lab export my_net:make --weights my_net.pth --input x=1x3x64x64 --input ids=1x16:int64 -o my_net.onnx
      fns-lab export torchvision.models:resnet18 --input x=1x3x64x64 --dynamic x.2 --dynamic x.3 -o free.onnx
      fns-lab export program.pt2 -o program.onnx
      fns-lab export torchvision.models:resnet18 --input x=1x3x224x224 --scale 1/255 --mean 0.485,0.456,0.406 \\
          --std 0.229,0.224,0.225 --crop -o resnet18.onnx
    """
    from fns_lab import targets
    from fns_lab.preprocessing import store

    if dynamic and target:
        raise InputError("--dynamic and --target: lowering needs a fixed size; leave --dynamic out")
    checked_model(output, Path(network))
    lower_for = targets.load(target) if target else None
    changes = image.changes()
    source = load_network(network, weights)
    exported = _exported(source, input or [], dynamic or [], size, opset)
    note_changed_buffer(network, exported)
    settings = image_settings(changes, exported.model)
    return write(store(exported.model, settings) if settings else exported.model, output, lower_for)


def load_network(text: str, weights: Path | None) -> Source:
    """Load a network in PyTorch; say so where that runs code."""
    from fns_lab.export import factory, sources

    if factory.is_factory(text) and not Path(text).exists():
        note(f"running the code of {text.partition(':')[0]}")
    return sources.load(text, weights)


def note_changed_buffer(network: str, exported: Exported) -> None:
    """Say so if a network's result depends on earlier calls, which that of a model cannot."""
    if exported.changed:
        note(
            f"{network}: each call changes the buffer {exported.changed!r}, on which the result depends; the model "
            "always gives what the first call gives"
        )


def write(model: ModelProto, output: Path, target: Target | None) -> int:
    """Write an export, lowered if there is a target; return the exit code."""
    from fns_lab import models

    supported = True
    if target:
        from fns_lab.rewrite.lower import lower

        lowering = lower(model, target)
        model, supported = lowering.model, lowering.supported
        print(lowering)
    models.save(model, output)
    print(f"{output}: {sum(models.count_ops(model).values())} nodes, opset {models.opset(model)}")
    return 0 if supported else 1


def spelled_out(argv: Sequence[str]) -> list[str]:
    """Return the arguments with the value `all` after a --dynamic that has none."""
    spelled: list[str] = []
    for text, following in zip(argv, [*argv[1:], "-"], strict=False):
        spelled.append(text)
        if text == "--dynamic" and following.startswith("-"):
            spelled.append(ALL)
    return spelled


def _exported(source: Source, inputs: list[str], dynamic: list[str], size: str, asked: int | None) -> Exported:
    from fns_lab.export import LOWEST_OPSET
    from fns_lab.export import export as export_network
    from fns_lab.limits import require_memory
    from fns_lab.nets.transformer import memory_bytes

    opset = LOWEST_OPSET if asked is None else asked

    if source.takes_image:
        if inputs:
            raise InputError("a style network takes one image: give --size instead of --input")
        if set(dynamic) - {ALL}:
            raise InputError(f"--dynamic {dynamic[0]}: of a style network, give --dynamic alone")
        height, width = parse_size(size)
        require_memory(
            memory_bytes(cast(int, source.net.width), height, width), f"--size {size}", "give a smaller size"
        )
        return export_network(source.net, (height, width), dynamic=bool(dynamic), opset=opset)
    if inputs and (source.args or source.kwargs):
        raise InputError("a .pt2 has its own inputs: leave --input out")
    if not (inputs or source.args or source.kwargs):
        raise InputError("give an example of each input, such as --input x=1x3x224x224; forward is " + source.signature)
    args, kwargs = (source.args, source.kwargs) if not inputs else source.arguments(_arrays(inputs))
    free = source.dynamic or _free_axes(dynamic)
    return export_network(source.net, args, kwargs, dynamic=free, input_names=source.input_names, opset=opset)


def _arrays(texts: list[str]) -> dict[str, np.ndarray]:
    """Return an array for each input: `x=1x3x8x8:float32`, `x=file.npy`; of a list, `x.0=` becomes `x_0`."""
    from fns_lab.arrays import load_array

    arrays: dict[str, Any] = {}
    for text in texts:
        name, value = split_name(text)
        path = Path(value)
        array = load_array(path) if path.suffix.lower() == ".npy" else drawn_input(value)
        if array is None:
            raise InputError(f"--input {text}: give NAME=1x3x224x224:float32 or NAME=FILE.npy")
        key = (name or f"input_{len(arrays)}").replace(".", "_")
        if key in arrays:
            raise InputError(f"--input {text}: {name} is given twice")
        arrays[key] = array
    return arrays


def _free_axes(texts: list[str]) -> Mapping[str, Mapping[int, str]]:
    """Return `{"x": {2: "height"}}` for `x.2=height`; without a name the axis is called `x_2`."""
    free: dict[str, dict[int, str]] = {}
    for text in texts:
        place, _, size = text.partition("=")
        name, _, axis = place.rpartition(".")
        if not (name and axis.isdecimal()) or (size and not size.isidentifier()):
            raise InputError(f"--dynamic {text}: give INPUT.AXIS, such as x.2, or x.2=height")
        name = name.replace(".", "_")
        free.setdefault(name, {})[int(axis)] = size or f"{name}_{axis}"
    return free
