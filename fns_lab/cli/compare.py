"""The command compare: which value differs first, by how much, and which ops in which engine introduced the error."""

from __future__ import annotations

import sys
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fns_lab.cli.arrays import Inputs
from fns_lab.cli.common import JsonFlag, Top, checked_folder, checked_model, checked_output, print_json, print_table
from fns_lab.cli.compare_files import PLOT_SUFFIXES, draw, write_files
from fns_lab.cli.compare_runs import counted, experiment_of, feeds_of, reference_name
from fns_lab.cli.devices import Device
from fns_lab.cli.export import Weights
from fns_lab.cli.image_options import NO_IMAGE_OPTIONS, ImageOptions, takes_image_options
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from tqdm import tqdm

    from fns_lab.compare import Comparison, Experiment, ModelRun

PROGRESS_AFTER_S = 2.0
PRINTED = ["value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "max_rel", "max_ulps", "rule", "origin"]


class Truth(StrEnum):
    """How correct values are computed, to see which of two answers is nearer to them."""

    FLOAT64 = "float64"


@takes_image_options
def compare(
    a: Annotated[
        str | None,
        typer.Argument(
            metavar="A", help="The reference: .onnx, or a network: .pth, .pt2, module:factory.", show_default=False
        ),
    ] = None,
    b: Annotated[
        Path | None, typer.Argument(metavar="B.onnx", help="The model to compare with A.", show_default=False)
    ] = None,
    input: Inputs = None,
    target_a: Annotated[str, typer.Option(metavar="T", help="Where A runs; a network runs in PyTorch.")] = "ort/cpu",
    target_b: Annotated[str, typer.Option(metavar="T", help="Where B runs.")] = "ort/cpu",
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Find a wrong value in few runs, instead of comparing all values.")
    ] = False,
    truth: Annotated[Truth | None, typer.Option(help="Also compare both with A in this precision.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(
            metavar="FRACTION", help="Error allowed, as a fraction of a value's range. Default: by engine and type."
        ),
    ] = None,
    versions: Annotated[
        str | None,
        typer.Option(metavar="T:LOW..HIGH", help="Find the first of these released versions of T that differs."),
    ] = None,
    reduce: Annotated[
        Path | None,
        typer.Option(metavar="OUT.onnx", help="Write the smallest model that shows the fault, and its input."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(metavar="OUT.png", help="Draw the error along the depth, and where in the image.")
    ] = None,
    save: Annotated[Path | None, typer.Option(metavar="DIR", help="Write models, inputs, outputs and table.")] = None,
    load: Annotated[Path | None, typer.Option(metavar="DIR", help="Show what --save wrote; runs nothing.")] = None,
    weights: Weights = None,
    device: Device = None,
    image: ImageOptions = NO_IMAGE_OPTIONS,
    top: Top = None,
    json: JsonFlag = False,
) -> int:
    """Compare two models value by value, and say which ops introduced what differs.

    Values pair up by name, and by layer between PyTorch and its exports. The op of each wrong value runs alone on
    correct inputs in B's engine. If its result is wrong again, the op introduced the error. If it is right, the op
    inherited the error, or is wrong only together with the ops that are named with it. Exit 1 on divergence.

    A network in PyTorch is compared module by module, each time that a module is called. module:factory runs your own
    code, or a package's. Without --input, numbers are drawn for the inputs that B declares.

    --bisect runs parts of B, log2(nodes) of them, for engines in which a run takes long. --truth float64 says which of
    two float32 answers is nearer the truth. --reduce OUT.onnx also writes OUT.npz, the input, and if B runs in a
    browser OUT.html: a page with the engine inside, which shows the fault in any browser, offline too. --save DIR is
    for a bug report; DIR/a.onnx, DIR/b.onnx and DIR/inputs_b.npz can be compared again.

    --versions runs A in the oldest version of an engine and B in few of the others, which are fetched from npm or pip,
    and names the two neighbours between which the result changed, and the op.

    \b
    Examples:
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg --target-b onnxjs-0.1.8/webgl --plot error.png
      fns-lab compare mosaic_nc16.pth mosaic.onnx --input photo.jpg --truth float64
      fns-lab compare torchvision.models:resnet18 resnet18.js.onnx --target-b onnxjs-0.1.8/wasm
      fns-lab compare old.onnx old.onnx --input photo.jpg --target-b onnxjs-0.1.8/webgl --bisect --reduce fault.onnx
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg --tolerance 1e-2 --save bundle
      fns-lab compare --load bundle --plot error.png
      fns-lab compare m.onnx m.onnx --input x.npy --versions ort-web/webgpu:1.20..1.30
    """
    _check_values(tolerance, reduce, plot, save)
    if versions:
        if not (a and b and input and len(input) == 1) or bisect or truth or reduce or plot or save or load:
            raise InputError("--versions takes A, B and --input X; only --tolerance and --json can be given with it")
        return _versions(Path(a), b, Path(input[0]), versions, tolerance, json=json)
    if load:
        if a or input or bisect or truth or tolerance is not None or reduce or save:
            raise InputError("--load shows a saved comparison; only --plot and --json can be given with it")
        return _show(_loaded(load), plot, top, json=json)
    if not (a and b):
        raise InputError("give two models, or --load DIR (see fns-lab compare --help)")
    feeds = partial(feeds_of, inputs=input, changes=image.changes())
    with _progress_bar() as bar:
        experiment = experiment_of(a, weights, device, b, feeds, target_a, target_b, tolerance, bar)
        comparison = _compared(experiment, bar, by_halves=bisect, truth=truth)
    write_files(experiment, comparison, target_b, save=save, reduce=reduce, reference=reference_name(a, target_a))
    return _show(comparison, plot, top, json=json)


def _show(comparison: Comparison, plot: Path | None, top: int | None, *, json: bool) -> int:
    """Plot a comparison if asked for, print it, and return the exit code."""
    if plot:
        draw(plot, comparison)
    if json:
        print_json(comparison.to_json())
    else:
        print_table((_worst_first(comparison.table) if top else comparison.table)[PRINTED], top=top)
        print(comparison)
    return 0 if comparison else 1


def _worst_first(table: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with the values that failed first, then by error as a fraction of what is allowed."""
    share = (table["max_abs"] / table["limit"]).fillna(0)
    return table.loc[share.where(table["fault"] == "", float("inf")).sort_values(ascending=False, kind="stable").index]


def _versions(a: Path, b: Path, input: Path, text: str, tolerance: float | None, *, json: bool) -> int:
    from fns_lab.cli.compare_versions import first_to_differ

    with _progress_bar() as bar:
        result = first_to_differ(a, b, input, text, tolerance, lambda run: counted(run, bar))
    if json:
        print_json(result.to_json())
    else:
        print(result)
    return 0 if result else 1


def _check_values(tolerance: float | None, reduce: Path | None, plot: Path | None, save: Path | None) -> None:
    if tolerance is not None and not tolerance >= 0:
        raise InputError(f"--tolerance {tolerance}: give a fraction of a value's range, such as 1e-3")
    if reduce:
        checked_model(reduce)
    if plot:
        checked_output(plot, PLOT_SUFFIXES, "use .png, .svg or .pdf")
    if save:
        checked_folder(save)


def _loaded(folder: Path) -> Comparison:
    from fns_lab.compare import bundle

    return bundle.load(folder)


def _compared(experiment: Experiment, bar: tqdm[NoReturn], *, by_halves: bool, truth: Truth | None) -> Comparison:
    from fns_lab.compare import bisect, localize
    from fns_lab.runtimes.refused_sizes import as_input_error

    a, b = experiment.a, experiment.b

    def progress(text: str) -> None:
        is_shown = bar.last_print_t >= bar.start_t + PROGRESS_AFTER_S  # tqdm clears only a bar that it drew by itself
        bar.set_postfix_str(text, refresh=is_shown)

    with as_input_error(b.model, b.feeds), as_input_error(a.model, a.feeds):
        if by_halves:
            return bisect(experiment, progress=progress)
        values = _true_values(a) if truth else None
        return localize(experiment, experiment.compare(truth=values), progress=progress)


def _true_values(model_run: ModelRun) -> dict[str, np.ndarray]:
    from fns_lab.compare import collect
    from fns_lab.runtimes.float64 import Float64Runner

    return collect(model_run.model, model_run.feeds, lambda model, feeds: Float64Runner(model).infer(dict(feeds)))


def _progress_bar() -> tqdm[NoReturn]:
    from tqdm import tqdm

    layout = "{n_fmt} runs [{elapsed}] {postfix}"
    return tqdm(bar_format=layout, delay=PROGRESS_AFTER_S, file=sys.stderr, leave=False)
