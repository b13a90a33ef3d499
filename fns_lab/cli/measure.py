"""Commands that measure: bench."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.arrays import load_feeds
from fns_lab.cli.common import JsonFlag, print_json, print_table
from fns_lab.errors import InputError

NOISE_SEED = 0
FREE_SIDE_PX = 256
"""Height and width of the noise where a model leaves them free."""


def bench(
    models: Annotated[
        list[Path], typer.Argument(metavar="M.onnx...", help="Models; the first is the ratio's 1.", show_default=False)
    ],
    target: Annotated[list[str], typer.Option("--target", metavar="T", help="A target; may be given several times.")],
    input: Annotated[
        Path | None, typer.Option("--input", metavar="X", help="A picture, .npy or .npz; without it, noise.")
    ] = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each model on each target.")] = 10,
    warmup: Annotated[
        int | None, typer.Option(min=1, help="Runs before those, not counted; without it, what the engine needs.")
    ] = None,
    json: JsonFlag = False,
) -> int:
    """Time models on targets.

    Runs are interleaved in one process or page; median, spread, and the ratio to the first model.
    Exit 1 if an engine refuses a model.

    \b
    Examples:
      fns-lab bench seed.onnx mosaic.js.onnx --target onnxjs-0.1.8/wasm --target onnxjs-0.1.8/cpu
    """
    from fns_lab import models as onnx_files
    from fns_lab import targets
    from fns_lab.bench import bench as measure
    from fns_lab.bench import random_feeds

    aims = [targets.load(name) for name in target]
    protos = {label: onnx_files.load(path) for label, path in zip(_labels(models), models, strict=True)}
    first = next(iter(protos.values()))
    feeds = load_feeds(input, first) if input else random_feeds(first, seed=NOISE_SEED, side_px=FREE_SIDE_PX)
    timings = measure(protos, aims, feeds, runs=runs, warmup=warmup)
    if json:
        print_json(timings.to_json())
    else:
        print_table(timings.table)
        print(timings)
    return 0 if timings else 1


def _labels(paths: list[Path]) -> list[str]:
    """File names without their suffix where these differ, whole paths where they do not."""
    stems = [path.stem for path in paths]
    labels = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    if len(set(labels)) < len(labels):
        raise InputError("a model is given twice; name each one once")
    return labels
