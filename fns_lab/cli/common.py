"""What several commands share: option types, what a user's words mean, and printing."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fns_lab.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

ModelPath = Annotated[Path, typer.Argument(metavar="M.onnx", help="An ONNX model.", show_default=False)]
TargetName = Annotated[str, typer.Option("--target", metavar="T", help="A target, such as onnxjs-0.1.8/wasm.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Shapes = Annotated[
    list[str] | None, typer.Option("--shape", metavar="NAME=1x3x128x128", help="Fix the shape of a dynamic input.")
]
AllowApproximate = Annotated[
    bool, typer.Option("--allow-approximate", help="Let rules that change the result a little apply too.")
]
OutputModel = Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="Where the model goes.")]


def note(message: str) -> None:
    """Say something on stderr, so that stdout holds results alone."""
    print(message, file=sys.stderr)


def print_json(data: dict[str, Any]) -> None:
    """One JSON object on one line; what JSON lacks (NaN, Inf) is a bug here."""
    print(json.dumps(data, allow_nan=False))


def print_table(table: pd.DataFrame, *, empty: str = "") -> None:
    """A table as aligned text, or the sentence `empty`."""
    print(table.to_string(index=False, na_rep="", float_format="{:.3g}".format) if len(table) else empty)


def parse_size(text: str) -> tuple[int, int]:
    """`"96x128"` (height x width, pixels) to `(96, 128)`. Raises `InputError` for anything else."""
    found = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text.strip())
    if not found:
        raise InputError(f"--size {text}: give height x width in pixels, such as 256x256")
    return int(found[1]), int(found[2])


def parse_shapes(texts: list[str]) -> dict[str, tuple[int, ...]]:
    """`["input=1x3x128x128"]` to `{"input": (1, 3, 128, 128)}`. Raises `InputError` for anything else."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, sign, dims = text.rpartition("=")
        if not (sign and name and re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", dims)):
            raise InputError(f"--shape {text}: give NAME=1x3x128x128")
        shapes[name] = tuple(map(int, dims.split("x")))
    return shapes


def parent_exists(path: Path) -> Path:
    """`path`, if its folder is there: a long run must not end in a name that cannot be written."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    return path


def shape_text(shape: tuple[int | str, ...]) -> str:
    """`(1, 3, 64, 96)` as `1x3x64x96`; a scalar's as `()`."""
    return "x".join(map(str, shape)) or "()"
