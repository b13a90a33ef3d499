"""Commands on ONNX files: check, lower, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.arrays import check_output_suffix, load_feeds, save_outputs
from fns_lab.cli.common import (
    AllowApproximate,
    JsonFlag,
    ModelPath,
    OutputModel,
    Shapes,
    TargetName,
    parent_exists,
    parse_shapes,
    print_json,
    print_table,
    shape_text,
)


def check(model: ModelPath, target: TargetName, json: JsonFlag = False) -> int:
    """Say of every op in a model whether a target takes it. Exit 1 if anything is not supported.

    \b
    Examples:
      fns-lab check mosaic.onnx --target onnxjs-0.1.8/webgl
    """
    from fns_lab import models, targets

    aim = targets.load(target)
    result = targets.check(models.load(model), aim)
    if json:
        print_json(result.to_json())
    else:
        print_table(result.table)
        print(result)
    return 0 if result else 1


def lower(
    model: ModelPath,
    target: TargetName,
    output: OutputModel,
    shape: Shapes = None,
    allow_approximate: AllowApproximate = False,
    json: JsonFlag = False,
) -> int:
    """Rewrite a model until a target takes every op.

    If something is left that it does not take, each such node is named with the reason, no file is written, exit 1.

    \b
    Examples:
      fns-lab lower mosaic.onnx --target onnxjs-0.1.3/webgl -o mosaic.js.onnx
      fns-lab lower dynamic.onnx --target ort-web/webgl --shape input=1x3x256x256 -o fixed.onnx
    """
    from fns_lab import models, targets
    from fns_lab.rewrite.lower import lower as lower_model

    aim = targets.load(target)
    parent_exists(output)
    shapes = parse_shapes(shape or [])
    result = lower_model(models.load(model), aim, shapes=shapes or None, allow_approximate=allow_approximate)
    if result:
        models.save(result.model, output)
    if json:
        print_json(result.to_json())
    else:
        print_table(result.applied, empty="no rule applied")
        if len(result.refused):
            print_table(result.refused)
        print(result if result else f"{result}; nothing written")
    return 0 if result else 1


def run(
    model: ModelPath,
    target: TargetName,
    input: Annotated[
        Path, typer.Option("--input", metavar="X", help="An image, .npy, or .npz (one array an input name).")
    ],
    output: Annotated[
        Path, typer.Option("-o", "--output", metavar="OUT", help="An image, .npy (first output) or .npz (all).")
    ],
    json: JsonFlag = False,
) -> None:
    """Run a model in the real runtime.

    An image goes in as 1x3xHxW, RGB, 0..255, scaled and cut to the model's size where that is fixed.

    \b
    Examples:
      fns-lab run mosaic.js.onnx --target onnxjs-0.1.8/wasm --input photo.jpg -o out.png
      fns-lab run model.onnx --target ort-web/webgpu --input feeds.npz -o outputs.npz --json
    """
    from fns_lab import models, targets
    from fns_lab.runtimes import open_runner

    aim = targets.load(target)
    check_output_suffix(output)
    proto = models.load(model)
    feeds = load_feeds(input, proto)
    with open_runner(proto, aim) as runner:
        outputs = runner.infer(feeds)
        time_ms = runner.ms
    save_outputs(outputs, output)
    written = outputs if output.suffix.lower() == ".npz" else dict([next(iter(outputs.items()))])
    if json:
        rows = [
            {"name": n, "shape": list(a.shape), "path": str(output) if n in written else None}
            for n, a in outputs.items()
        ]
        print_json({"target": aim.name, "outputs": rows, "ms": time_ms})
    else:
        shapes = ", ".join(f"{name} {shape_text(array.shape)}" for name, array in outputs.items())
        print(f"{output}: {shapes}; {time_ms:.1f} ms in {aim.name}")
