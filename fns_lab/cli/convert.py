"""The commands on ONNX files: check, lower, run."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fns_lab.cli.arrays import Inputs, check_output_suffix, load_feeds, save_outputs
from fns_lab.cli.common import (
    AllowApproximate,
    InPlace,
    JsonFlag,
    ModelPath,
    OutputModel,
    Shapes,
    TargetName,
    Top,
    checked_model,
    keep_inputs,
    note,
    parse_shapes,
    print_json,
    print_table,
)
from fns_lab.cli.image_options import NO_IMAGE_OPTIONS, ImageOptions, takes_image_options
from fns_lab.errors import InputError, shape_text


def check(model: ModelPath, target: TargetName, top: Top = None, json: JsonFlag = False) -> int:
    """Check whether a target supports every op of a model.

    Every op is listed with the reason why it is not supported, if so. Exit 1 if one is not.

    \b
    Examples:
      fns-lab check mosaic.onnx --target onnxjs-0.1.8/webgl
    """
    from fns_lab import models, targets

    chosen = targets.load(target)
    result = targets.check(models.load(model), chosen)
    if json:
        print_json(result.to_json())
    else:
        print_table(result.table.sort_values("supported", kind="stable"), top=top)
        for op, values in result.undefined_values.items():
            who = "an op" if op == targets.EVERY_OP else op
            meanings = [
                f" ({targets.VALUE_MEANINGS[value]})" if value in targets.VALUE_MEANINGS else "" for value in values
            ]
            listed = ", ".join(map("".join, zip(values, meanings, strict=True)))
            note(f"{chosen} leaves open what {who} does with these values: {listed}")
        print(result)
    return 0 if result else 1


def lower(
    model: ModelPath,
    target: TargetName,
    output: OutputModel,
    shape: Shapes = None,
    allow_approximate: AllowApproximate = False,
    verify: Annotated[
        bool, typer.Option(help="Run the result beside the original, if that takes seconds, before it is written.")
    ] = True,
    in_place: InPlace = False,
    json: JsonFlag = False,
) -> int:
    """Rewrite a model so that a target supports every op.

    If the target does not support the result, each such node is printed with the reason, no file is written, exit 1.
    Both models run in ONNX Runtime on drawn inputs; if their results differ, no file is written either.

    \b
    Examples:
      fns-lab lower mosaic.onnx --target onnxjs-0.1.3/webgl -o mosaic.js.onnx
      fns-lab lower dynamic.onnx --target ort-web/webgl --shape input=1x3x256x256 -o fixed.onnx
    """
    from fns_lab import models, targets
    from fns_lab.measure.verify import Verification
    from fns_lab.measure.verify import verify as verify_model
    from fns_lab.rewrite.lower import lower as lower_model

    chosen = targets.load(target)
    checked_model(output, model, in_place=in_place)
    shapes = parse_shapes(shape or [])
    original = models.load(model)
    result = lower_model(original, chosen, shapes=shapes or None, allow_approximate=allow_approximate)
    verification = Verification(None, "the target does not support the result" if verify else "--no-verify")
    if result and verify:
        verification = verify_model(original, result, shapes)
    written = bool(result) and verification.verified is not False
    if written:
        if fixed := models.optional_inputs(original):
            note(f"inputs with a value in {model} are constants in {output}: {', '.join(fixed)}")
        models.save(result.model, output)
    if json:
        print_json(result.to_json() | {"verified": verification.verified, "verified_reason": verification.reason})
    else:
        print_table(result.applied, empty="no rule applied")
        if len(result.refused):
            print_table(result.refused)
        if result and verify:
            print(verification)
        print(result if written else f"{result}; nothing written")
    return 0 if written else 1


@takes_image_options
def run(
    model: ModelPath,
    target: TargetName,
    output: Annotated[
        Path,
        typer.Option(
            "-o", "--output", metavar="OUT", help="File to write: an image or .npy (first output), or .npz (all)."
        ),
    ],
    input: Inputs = None,
    image: ImageOptions = NO_IMAGE_OPTIONS,
    timeout: Annotated[
        float | None,
        typer.Option(
            metavar="SECONDS",
            min=0.1,
            help="Longest time to load and to run, in a browser or a process; default: --limit answer-seconds.",
        ),
    ] = None,
    json: JsonFlag = False,
) -> None:
    """Run a model in a target's real runtime, and write its outputs.

    An image is read as 1x3xHxW, RGB, 0..255, scaled and cut to the model's height and width where these are fixed,
    unless the model's metadata or --scale, --mean, --std, --layout, --fit or --pad say otherwise.

    \b
    Examples:
      fns-lab run mosaic.js.onnx --target onnxjs-0.1.8/wasm --input photo.jpg -o out.png
      fns-lab run model.onnx --target ort-web/webgpu --input feeds.npz -o outputs.npz --json
      fns-lab run two.onnx --target ort-web/wasm --input x=photo.jpg --input ids=1x16:int64 -o outputs.npz
    """
    from fns_lab import models, targets
    from fns_lab.runtimes import open_runner
    from fns_lab.runtimes.refused_sizes import as_input_error

    chosen = targets.load(target)
    check_output_suffix(output)
    changes = image.changes()
    if not input:
        raise InputError("give --input X: an image, .npy, .npz, or a shape to draw, such as 1x3x64x64")
    keep_inputs(output, model, *map(Path, input))
    proto = models.load(model)
    feeds = load_feeds(input, proto, changes)
    with as_input_error(proto, feeds), open_runner(proto, chosen, timeout_s=timeout) as runner:
        outputs = runner.infer(feeds)
        time_ms = runner.ms
    save_outputs(outputs, output)
    written = outputs if output.suffix.lower() == ".npz" else dict([next(iter(outputs.items()))])
    if json:
        rows = [
            {"name": n, "shape": list(a.shape), "path": str(output) if n in written else None}
            for n, a in outputs.items()
        ]
        print_json({"target": chosen.name, "outputs": rows, "ms": time_ms})
    else:
        shapes = ", ".join(f"{name} {shape_text(array.shape)}" for name, array in outputs.items())
        print(f"{output}: {shapes}; {time_ms:.1f} ms in {chosen.name}")
