"""The command compare: which value differs first, by how much, and which ops in which engine introduced the error."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from fns_lab.cli.arrays import load_feeds
from fns_lab.cli.common import JsonFlag, checked_folder, checked_model, checked_output, print_json, print_table
from fns_lab.cli.compare_files import PLOT_SUFFIXES, draw, write_files
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto
    from tqdm import tqdm

    from fns_lab.compare import Comparison, Experiment, ModelRun, Run
    from fns_lab.nets.transformer import TransformerNet
    from fns_lab.targets import Target

PROGRESS_AFTER_S = 2.0
PRINTED = ["value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "max_rel", "max_ulps", "rule", "origin"]


class Truth(StrEnum):
    """How correct values are computed, to see which of two answers is nearer to them."""

    FLOAT64 = "float64"


def compare(
    a: Annotated[
        Path | None, typer.Argument(metavar="A", help="The reference: .onnx, or a .pth network.", show_default=False)
    ] = None,
    b: Annotated[
        Path | None, typer.Argument(metavar="B.onnx", help="The model to compare with A.", show_default=False)
    ] = None,
    input: Annotated[
        Path | None, typer.Option("--input", metavar="X", help="An image, .npy, or .npz (one array per input name).")
    ] = None,
    target_a: Annotated[str, typer.Option(metavar="T", help="Where A runs; a .pth runs in PyTorch.")] = "ort/cpu",
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
    json: JsonFlag = False,
) -> int:
    """Compare two models value by value, and say which ops introduced what differs.

    Values pair up by name, and by layer between PyTorch and its exports. The op of each wrong value runs alone on
    correct inputs in B's engine. If its result is wrong again, the op introduced the error. If it is right, the op
    inherited the error, or is wrong only together with the ops that are named with it. Exit 1 on divergence.

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
      fns-lab compare old.onnx old.onnx --input photo.jpg --target-b onnxjs-0.1.8/webgl --bisect --reduce fault.onnx
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg --tolerance 1e-2 --save bundle
      fns-lab compare --load bundle --plot error.png
      fns-lab compare m.onnx m.onnx --input x.npy --versions ort-web/webgpu:1.20..1.30
    """
    _check_values(tolerance, reduce, plot, save)
    if versions:
        if not (a and b and input) or bisect or truth or reduce or plot or save or load:
            raise InputError("--versions takes A, B and --input X; only --tolerance and --json can be given with it")
        return _versions(a, b, input, versions, tolerance, json=json)
    if load:
        if a or input or bisect or truth or tolerance is not None or reduce or save:
            raise InputError("--load shows a saved comparison; only --plot and --json can be given with it")
        comparison = _loaded(load)
    elif a and b and input:
        with _progress_bar() as bar:
            experiment = _experiment(a, b, input, target_a, target_b, tolerance, bar)
            comparison = _compared(experiment, bar, by_halves=bisect, truth=truth)
        write_files(experiment, comparison, target_b, save=save, reduce=reduce, reference=_reference(a, target_a))
    else:
        raise InputError("give two models and --input X, or --load DIR (see fns-lab compare --help)")
    if plot:
        draw(plot, comparison)
    if json:
        print_json(comparison.to_json())
    else:
        print_table(comparison.table[PRINTED])
        print(comparison)
    return 0 if comparison else 1


def _versions(a: Path, b: Path, input: Path, text: str, tolerance: float | None, *, json: bool) -> int:
    from fns_lab.cli.compare_versions import first_to_differ

    with _progress_bar() as bar:
        result = first_to_differ(a, b, input, text, tolerance, lambda run: _counted(run, bar))
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


def _experiment(
    a: Path, b: Path, input: Path, target_a: str, target_b: str, fraction: float | None, bar: tqdm[NoReturn]
) -> Experiment:
    """Load A, then B, and plan what to compare; of the two only a network in PyTorch runs here."""
    from fns_lab import targets
    from fns_lab.compare import Experiment, tolerance_between, tolerance_of
    from fns_lab.process import keep_freed_memory

    engine_a, engine_b = targets.load(target_a), targets.load(target_b)
    keep_freed_memory()
    if _is_network(a):
        net = _network(a)
        run_b = _model_run(b, input, engine_b, bar)
        run_a = _network_run(net, a, run_b, bar)
    else:
        run_a = _model_run(a, input, engine_a, bar)
        run_b = _model_run(b, input, engine_b, bar)
    if fraction is not None:
        return Experiment(run_a, run_b, tolerance_of(fraction))
    return Experiment(run_a, run_b, tolerance_between("torch" if _is_network(a) else str(engine_a), str(engine_b)))


def _compared(experiment: Experiment, bar: tqdm[NoReturn], *, by_halves: bool, truth: Truth | None) -> Comparison:
    from fns_lab.compare import bisect, localize

    def progress(text: str) -> None:
        is_shown = bar.last_print_t >= bar.start_t + PROGRESS_AFTER_S  # tqdm clears only a bar that it drew by itself
        bar.set_postfix_str(text, refresh=is_shown)

    if by_halves:
        return bisect(experiment, progress=progress)
    values = _true_values(experiment.a) if truth else None
    return localize(experiment, experiment.compare(truth=values), progress=progress)


def _is_network(path: Path) -> bool:
    from fns_lab.nets import SUFFIXES

    return path.suffix.lower() in SUFFIXES


def _reference(a: Path, target_a: str) -> str:
    return "PyTorch" if _is_network(a) else target_a


def _model_run(path: Path, input: Path, target: Target, bar: tqdm[NoReturn]) -> ModelRun:
    from fns_lab import models
    from fns_lab.compare import ModelRun
    from fns_lab.runtimes import run_in

    model = models.load(path)
    feeds = load_feeds(input, model)
    run = _counted(run_in(target), bar)
    return ModelRun(model, feeds, run, piecewise=target.ops_are_independent, engine=str(target))


def _network(path: Path) -> TransformerNet:
    from fns_lab.nets import checkpoints

    return checkpoints.load(path)


def _network_run(net: TransformerNet, path: Path, other: ModelRun, bar: tqdm[NoReturn]) -> ModelRun:
    """Run a network in PyTorch for its values; its export names them, and runs in parts in ONNX Runtime."""
    from fns_lab.compare import ModelRun
    from fns_lab.export import INPUT, onnx_from_torch
    from fns_lab.runtimes import run_in
    from fns_lab.runtimes.torch_runner import TorchRunner

    if len(other.feeds) != 1:
        raise InputError(f"{path}: the network takes one image, the other model {len(other.feeds)} inputs")
    feeds = dict(zip([INPUT], other.feeds.values(), strict=True))
    height, width = feeds[INPUT].shape[2:]
    model = onnx_from_torch(net, (height, width))
    with TorchRunner(net) as runner:
        values = runner.values(feeds)
    return ModelRun(model, feeds, _counted(run_in("ort/cpu"), bar), values=values, engine="ort/cpu")


def _true_values(model_run: ModelRun) -> dict[str, np.ndarray]:
    from fns_lab.compare import collect
    from fns_lab.runtimes.float64 import Float64Runner

    return collect(model_run.model, model_run.feeds, lambda model, feeds: Float64Runner(model).infer(dict(feeds)))


def _progress_bar() -> tqdm[NoReturn]:
    from tqdm import tqdm

    layout = "{n_fmt} runs [{elapsed}] {postfix}"
    return tqdm(bar_format=layout, delay=PROGRESS_AFTER_S, file=sys.stderr, leave=False)


def _counted(run: Run, bar: tqdm[NoReturn]) -> Run:
    def counted(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        outputs = run(model, feeds)
        bar.update()
        return outputs

    return counted
