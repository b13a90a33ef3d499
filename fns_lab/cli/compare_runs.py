"""The two models that `fns-lab compare` runs: ONNX files in an engine, networks in PyTorch module by module."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from fns_lab.cli.arrays import load_feeds
from fns_lab.cli.devices import pick_device
from fns_lab.cli.export import load_network, note_changed_buffer
from fns_lab.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from onnx import ModelProto
    from tqdm import tqdm

    from fns_lab.compare import Experiment, ModelRun, Run
    from fns_lab.export.sources import Source
    from fns_lab.targets import Target

Feeds = dict[str, "np.ndarray"]

DRAWN_SIZE = 64
"""Size of a free axis, but the first, of an input that is drawn."""


def experiment_of(
    a: str,
    weights: Path | None,
    device: str | None,
    b: Path,
    feeds: Callable[[ModelProto], Feeds],
    target_a: str,
    target_b: str,
    fraction: float | None,
    bar: tqdm[NoReturn],
) -> Experiment:
    """Load A, then B, and plan what to compare; of the two only a network in PyTorch runs here."""
    from fns_lab import targets
    from fns_lab.compare import Experiment, tolerance_between, tolerance_of
    from fns_lab.export.sources import is_network
    from fns_lab.process import keep_freed_memory

    engine_a, engine_b = targets.load(target_a), targets.load(target_b)
    keep_freed_memory()
    if is_network(a):
        source = load_network(a, weights)
        run_b = _model_run(b, feeds, engine_b, bar)
        run_a = _network_run(source, a, pick_device(device or "cpu"), run_b, bar)
    elif device:
        raise InputError(f"--device {device}: A runs in PyTorch only if it is a network: .pth, .pt2, module:factory")
    else:
        run_a = _model_run(Path(a), feeds, engine_a, bar)
        run_b = _model_run(b, feeds, engine_b, bar)
    if fraction is not None:
        return Experiment(run_a, run_b, tolerance_of(fraction))
    return Experiment(run_a, run_b, tolerance_between("torch" if is_network(a) else str(engine_a), str(engine_b)))


def reference_name(a: str, target_a: str) -> str:
    """Return what A runs in, for people."""
    from fns_lab.export.sources import is_network

    return "PyTorch" if is_network(a) else target_a


def feeds_of(model: ModelProto, *, inputs: list[str] | None, changes: Mapping[str, object]) -> Feeds:
    """Return the feeds of a model from the files given, or drawn ones; free sizes are then 64, a first one 1."""
    if inputs:
        return load_feeds(inputs, model, changes)
    from fns_lab.feeds import draw_feeds

    return draw_feeds(model, batch=1, size=DRAWN_SIZE)


def _model_run(path: Path, feeds: Callable[[ModelProto], Feeds], target: Target, bar: tqdm[NoReturn]) -> ModelRun:
    from fns_lab import models
    from fns_lab.compare import ModelRun
    from fns_lab.runtimes import run_in

    model = models.load(path)
    run = counted(run_in(target), bar)
    return ModelRun(model, feeds(model), run, piecewise=target.ops_are_independent, engine=str(target))


def _network_run(source: Source, label: str, device: str, other: ModelRun, bar: tqdm[NoReturn]) -> ModelRun:
    """Run a network in PyTorch for its values; its export names them, and runs in parts in ONNX Runtime."""
    from fns_lab.compare import ModelRun
    from fns_lab.export import export
    from fns_lab.runtimes import run_in
    from fns_lab.runtimes.torch_runner import TorchRunner

    try:
        args, kwargs = source.arguments(other.feeds)
        exported = export(source.net, args, kwargs, input_names=source.input_names)
    except InputError as error:
        raise InputError(f"{label}: {error}") from None
    note_changed_buffer(label, exported)
    feeds = dict(zip(exported.call.input_names, other.feeds.values(), strict=True))
    if other.feeds.keys() == set(exported.call.input_names):
        feeds = {name: other.feeds[name] for name in exported.call.input_names}
    with TorchRunner(source.net, device=device, call=exported.call) as runner:
        values = runner.values(feeds, exported.modules)
    return ModelRun(exported.model, feeds, counted(run_in("ort/cpu"), bar), values=values, engine="ort/cpu")


def counted(run: Run, bar: tqdm[NoReturn]) -> Run:
    """Return `run`, which then counts each run in the progress bar."""

    def run_and_count(model: ModelProto, feeds: Mapping[str, np.ndarray]) -> Mapping[str, np.ndarray]:
        outputs = run(model, feeds)
        bar.update()
        return outputs

    return run_and_count
