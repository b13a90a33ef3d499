"""Commands that measure: bench and tune."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.arrays import Inputs, load_feeds
from fns_lab.cli.common import (
    AllowApproximate,
    InPlace,
    JsonFlag,
    ModelPath,
    OutputModel,
    Shapes,
    TargetName,
    TargetNames,
    checked_model,
    checked_output,
    parse_shapes,
    print_json,
    print_table,
)
from fns_lab.cli.image_options import NO_IMAGE_OPTIONS, ImageOptions, takes_image_options
from fns_lab.errors import InputError


@takes_image_options
def bench(
    models: Annotated[
        list[Path], typer.Argument(metavar="M.onnx...", help="Models; ratios are to the first.", show_default=False)
    ],
    target: TargetNames,
    input: Inputs = None,
    image: ImageOptions = NO_IMAGE_OPTIONS,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each model on each target.")] = 10,
    warmup: Annotated[
        int | None, typer.Option(min=1, help="Runs before the timed ones; by default what the engine needs.")
    ] = None,
    csv: Annotated[
        Path | None, typer.Option(metavar="OUT.csv", help="Also write the time of every run to this file.")
    ] = None,
    json: JsonFlag = False,
) -> int:
    """Time models in the real runtimes, on noise unless --input is given.

    The models run in turns in one process or page. Prints median, tenth and ninetieth percentile, and how many
    times as fast as the first model each one is. Exit 1 if an engine refuses a model.

    \b
    Examples:
      fns-lab bench seed.onnx mosaic.js.onnx --target onnxjs-0.1.8/wasm --target onnxjs-0.1.8/cpu
    """
    from fns_lab import models as onnx_files
    from fns_lab import targets
    from fns_lab.files import atomic_write
    from fns_lab.measure.bench import bench as measure
    from fns_lab.measure.bench import random_feeds

    if csv:
        checked_output(csv, (".csv",), "use .csv")
    chosen = [targets.load(name) for name in target]
    protos = {label: onnx_files.load(path) for label, path in zip(_labels(models), models, strict=True)}
    first = next(iter(protos.values()))
    changes = image.changes()
    feeds = load_feeds(input, first, changes) if input else random_feeds(first)
    timings = measure(protos, chosen, feeds, runs=runs, warmup=warmup)
    if csv:
        with atomic_write(csv) as temporary:
            timings.every_run.to_csv(temporary, index=False)
    if json:
        print_json(timings.to_json())
    else:
        speeds = (1 / timings.table["ratio"]).rename("times as fast")
        print_table(timings.table.drop(columns="ratio").join(speeds))
        print(timings)
    return 0 if timings else 1


def tune(
    model: ModelPath,
    target: TargetName,
    output: OutputModel,
    shape: Shapes = None,
    input: Inputs = None,
    runs: Annotated[int, typer.Option(min=1, help="Timed runs of each alternative that is near the fastest.")] = 5,
    allow_approximate: AllowApproximate = False,
    in_place: InPlace = False,
    json: JsonFlag = False,
) -> int:
    """Lower a model with the fastest alternative at each site, measured in the real runtime.

    A site is a place where several rules apply. Each alternative is compared with ONNX Runtime; one that is wrong is
    never taken. What was measured before, in the same version of the runtime on the same machine, is not measured
    again. If the whole model is wrong in the end, no file is written, exit 1. It runs on noise unless --input is given.

    \b
    Examples:
      fns-lab tune mosaic.onnx --target onnxjs-0.1.8/wasm -o mosaic.fast.onnx
      fns-lab tune dynamic.onnx --target ort/cpu --shape input=1x3x256x256 -o fast.onnx --json
    """
    from fns_lab import models, targets
    from fns_lab.measure.tune import tune as tune_model

    chosen = targets.load(target)
    checked_model(output, model, in_place=in_place)
    proto, shapes = models.load(model), parse_shapes(shape or [])
    feeds = load_feeds(input, proto) if input else None
    result = tune_model(
        proto, chosen, shapes=shapes or None, allow_approximate=allow_approximate, feeds=feeds, runs=runs
    )
    if result:
        models.save(result.model, output)
    if json:
        print_json(result.to_json())
    else:
        print_table(result.tried, empty="nothing to choose")
        print_table(result.lowering.applied, empty="no rule applied")
        print(result if result else f"{result}; nothing written")
    return 0 if result else 1


def _labels(paths: list[Path]) -> list[str]:
    """Return file names without suffix where these differ, else whole paths."""
    stems = [path.stem for path in paths]
    labels = stems if len(set(stems)) == len(stems) else [str(path) for path in paths]
    if len(set(labels)) < len(labels):
        raise InputError("a model is given twice; name each one once")
    return labels
