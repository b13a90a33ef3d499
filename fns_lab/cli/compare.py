"""The command compare: which value first differs, by how much, in which engine, because of which ops."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from fns_lab.cli.arrays import load_feeds
from fns_lab.cli.common import JsonFlag, note, parent_exists, print_json, print_table
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from tqdm import tqdm

    from fns_lab.compare import Comparison, Experiment, Finding, ModelRun, Run, Subgraph
    from fns_lab.targets import Target

NETWORKS = (".pth", ".model")
PROGRESS_AFTER_S = 2.0
PRINTED = ["value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "max_rel", "max_ulps", "rule", "origin"]


class Judge(StrEnum):
    """Who says which of two answers is nearer the truth."""

    FLOAT64 = "float64"


def compare(
    a: Annotated[
        Path | None, typer.Argument(metavar="A", help="The reference: .onnx, or a .pth network.", show_default=False)
    ] = None,
    b: Annotated[
        Path | None, typer.Argument(metavar="B.onnx", help="What is held against it.", show_default=False)
    ] = None,
    input: Annotated[
        Path | None, typer.Option("--input", metavar="X", help="An image, .npy, or .npz (one array an input name).")
    ] = None,
    target_a: Annotated[str, typer.Option(metavar="T", help="Where A runs; a .pth runs in PyTorch.")] = "ort/cpu",
    target_b: Annotated[str, typer.Option(metavar="T", help="Where B runs.")] = "ort/cpu",
    bisect: Annotated[
        bool, typer.Option("--bisect", help="Find a first wrong value in few runs, instead of comparing all values.")
    ] = False,
    judge: Annotated[Judge | None, typer.Option(help="Also hold both against A in this precision.")] = None,
    tolerance: Annotated[
        float | None,
        typer.Option(metavar="FRACTION", help="Of a value's range, the error allowed; else by engine and type."),
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

    Values pair up by name, and by layer between PyTorch and its exports. Each wrong value's op runs alone on the true
    inputs in B's engine: wrong again, it introduced the error; right, it inherited it, or is wrong only after the ops
    that are named with it. Exit 1 on divergence.

    --bisect runs parts of B, log2(nodes) of them: for engines in which a run takes long. --judge float64 tells which of
    two float32 answers is nearer the truth. --reduce OUT.onnx also writes OUT.npz, the input, and where B runs in a
    browser OUT.html: a page with the engine inside, which shows the fault alone wherever it is opened, offline too; for
    other engines the .onnx and .npz are all there is. --save DIR is for a bug report; DIR/a.onnx, DIR/b.onnx and
    DIR/inputs_b.npz can be compared again.

    \b
    Examples:
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg --target-b onnxjs-0.1.8/webgl --plot error.png
      fns-lab compare mosaic_nc16.pth mosaic.onnx --input photo.jpg --judge float64
      fns-lab compare old.onnx old.onnx --input photo.jpg --target-b onnxjs-0.1.8/webgl --bisect --reduce fault.onnx
      fns-lab compare mosaic.onnx mosaic.js.onnx --input photo.jpg --tolerance 1e-2 --save bundle
      fns-lab compare --load bundle --plot error.png
    """
    from fns_lab.compare import bundle

    _check_usage(a, b, input, load, reduce=reduce, others=[bisect, judge, tolerance is not None, reduce, save])
    if tolerance is not None and not tolerance >= 0:
        raise InputError(f"--tolerance {tolerance}: give a fraction of a value's range, such as 1e-3")
    for path in filter(None, (plot, reduce, save)):
        parent_exists(path)
    if load:
        result = bundle.load(load)
    else:
        experiment, result = _examined(
            a, b, input, target_a, target_b, by_halves=bisect, judge=judge, fraction=tolerance
        )
        if save:
            bundle.save(save, experiment, result)
        if reduce:
            _write_reduction(reduce, experiment, result, target_b, truth="PyTorch" if _in_torch(a) else target_a)
    if plot:
        _draw(plot, result)
    if json:
        print_json(result.to_json())
    else:
        print_table(result.table[PRINTED])
        print(result)
    return 0 if result else 1


def _check_usage(a: Path | None, b: Path | None, input: Path | None, load: Path | None, *, reduce, others) -> None:
    if load and (a or input or any(others)):
        raise InputError("--load shows a saved comparison: beside it only --plot and --json may stand")
    if not load and not (a and b and input):
        raise InputError("give two models and --input X, or --load DIR (see fns-lab compare --help)")
    if reduce and reduce.suffix.lower() != ".onnx":
        raise InputError(f"--reduce {reduce}: give a name that ends in .onnx")


def _examined(
    a: Path,
    b: Path,
    input: Path,
    target_a: str,
    target_b: str,
    *,
    by_halves: bool,
    judge: Judge | None,
    fraction: float | None,
) -> tuple[Experiment, Comparison]:
    from fns_lab import compare as lab
    from fns_lab import targets
    from fns_lab.process import keep_freed_memory

    aims = targets.load(target_a), targets.load(target_b)
    keep_freed_memory()
    with _bar() as bar:
        side_b = _side(b, input, aims[1], bar)
        in_torch = _in_torch(a)
        side_a = _network_side(a, side_b, bar) if in_torch else _side(a, input, aims[0], bar)
        engines = "torch" if in_torch else str(aims[0]), str(aims[1])
        experiment = lab.Experiment(
            side_a, side_b, lab.tolerance_between(*engines) if fraction is None else lab.tolerance_of(fraction)
        )
        if by_halves:
            return experiment, lab.bisect(experiment, progress=bar.set_postfix_str)
        truth = _truth(side_a) if judge else None
        return experiment, lab.localize(experiment, experiment.compare(judge=truth), progress=bar.set_postfix_str)


def _in_torch(path: Path) -> bool:
    return path.suffix.lower() in NETWORKS


def _side(path: Path, input: Path, target: Target, bar: tqdm) -> ModelRun:
    from fns_lab import models
    from fns_lab.compare import ModelRun
    from fns_lab.runtimes import run_in

    model = models.load(path)
    feeds = load_feeds(input, model)
    return ModelRun(model, feeds, _counted(run_in(target), bar), piecewise=target.ops_are_independent)


def _network_side(path: Path, other: ModelRun, bar: tqdm) -> ModelRun:
    """A network in PyTorch, whose modules give the values; its export names them, and runs parts in ONNX Runtime."""
    from fns_lab.compare import ModelRun
    from fns_lab.export import INPUT, onnx_from_torch
    from fns_lab.nets import checkpoints
    from fns_lab.runtimes import run_in
    from fns_lab.runtimes.torch_runner import TorchRunner

    if len(other.feeds) != 1:
        raise InputError(f"{path}: the network takes one image, the other model {len(other.feeds)} inputs")
    net = checkpoints.load(path)
    feeds = dict(zip([INPUT], other.feeds.values(), strict=True))
    model = onnx_from_torch(net, feeds[INPUT].shape[2:])
    with TorchRunner(net) as runner:
        values = runner.values(feeds)
    return ModelRun(model, feeds, _counted(run_in("ort/cpu"), bar), values=values)


def _truth(side: ModelRun) -> dict[str, np.ndarray]:
    from fns_lab.compare import collect
    from fns_lab.runtimes.float64 import Float64Runner

    return collect(side.model, side.feeds, lambda model, feeds: Float64Runner(model).infer(dict(feeds)))


def _bar() -> tqdm:
    from tqdm import tqdm

    layout = "{n_fmt} runs [{elapsed}] {postfix}"
    return tqdm(bar_format=layout, delay=PROGRESS_AFTER_S, file=sys.stderr, leave=False)


def _counted(run: Run, bar: tqdm) -> Run:
    def counted(model, feeds):
        found = run(model, feeds)
        bar.update()
        return found

    return counted


def _draw(path: Path, result: Comparison) -> None:
    from fns_lab.files import atomic_write
    from fns_lab.views.error_maps import error_figure

    with atomic_write(path) as temporary:
        error_figure(result).savefig(temporary, format=path.suffix[1:] or "png", dpi=100)


def _write_reduction(path: Path, experiment: Experiment, result: Comparison, target: str, *, truth: str) -> None:
    import numpy as np

    from fns_lab import models
    from fns_lab.compare import subgraph
    from fns_lab.files import atomic_write

    if not result.findings:
        note(f"{path}: not written, no part of the model was found that makes an error by itself")
        return
    finding = result.findings[0]
    smallest, inputs = subgraph(experiment, finding), path.with_suffix(".npz")
    models.save(smallest.model, path)
    with atomic_write(inputs) as temporary, temporary.open("wb") as stream:
        np.savez(stream, **smallest.feeds)
    size = len(smallest.model.graph.node)
    note(f"{size} node{'s' * (size > 1)} ({', '.join(finding.ops)}) written to {path}, the input to {inputs}")
    if finding.source == "engine":
        note(f"  see it: fns-lab compare {path} {path} --input {inputs} --target-b {target}")
    else:
        note(f"  it computes a wrong {finding.value!r} in the engine of A too: the model is at fault, not the engine")
    _write_page(path.with_suffix(".html"), smallest, finding, target, truth)


def _write_page(path: Path, smallest: Subgraph, finding: Finding, target: str, truth: str) -> None:
    """The page of a fault that an engine of the browser has by itself; there is none of others."""
    from fns_lab import targets
    from fns_lab.files import atomic_write
    from fns_lab.runtimes.engines import runs_in_a_page
    from fns_lab.views.fault_page import fault_page

    aim = targets.load(target)
    if not runs_in_a_page(aim):
        return
    text = fault_page(smallest, finding, aim, truth=truth)
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    note(f"  or open {path} in any browser: the engine is inside")
