"""What several commands share: option types, parsing of sizes and shapes, printing."""

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
TargetName = Annotated[str, typer.Option("--target", metavar="T", help="The target, such as onnxjs-0.1.8/wasm.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", metavar="NAME=1x3x128x128", help="Fix the shape of an input with free dimensions."),
]
AllowApproximate = Annotated[
    bool, typer.Option("--allow-approximate", help="Also apply rules that change the result slightly.")
]
OutputModel = Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="File to write the model to.")]


def note(message: str) -> None:
    """Print a message to stderr, so that stdout holds only results."""
    print(message, file=sys.stderr)


def print_json(data: dict[str, Any]) -> None:
    """Print one JSON object on one line. NaN and Inf, which JSON does not have, raise ValueError."""
    print(json.dumps(data, allow_nan=False))


def print_table(table: pd.DataFrame, *, empty: str = "") -> None:
    """Print a table as aligned text, or the sentence `empty` if it has no rows."""
    print(table.to_string(index=False, na_rep="", float_format="{:.3g}".format) if len(table) else empty)


def parse_size(text: str) -> tuple[int, int]:
    """Return `(96, 128)` for `"96x128"`, height x width in pixels. Raises `InputError` for anything else."""
    match = re.fullmatch(r"([1-9]\d*)[xX]([1-9]\d*)", text.strip())
    if not match:
        raise InputError(f"--size {text}: give height x width in pixels, such as 256x256")
    return int(match[1]), int(match[2])


def parse_shapes(texts: list[str]) -> dict[str, tuple[int, ...]]:
    """Return `{"input": (1, 3, 128, 128)}` for `["input=1x3x128x128"]`. Raises `InputError` for anything else."""
    shapes: dict[str, tuple[int, ...]] = {}
    for text in texts:
        name, sign, dims = text.rpartition("=")
        if not (sign and name and re.fullmatch(r"[1-9]\d*(x[1-9]\d*)*", dims)):
            raise InputError(f"--shape {text}: give NAME=1x3x128x128")
        shapes[name] = tuple(map(int, dims.split("x")))
    return shapes


def parent_exists(path: Path) -> Path:
    """Return `path`. Raises `InputError`, before the work begins, if its folder does not exist."""
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    return path


def shape_text(shape: tuple[int | str, ...]) -> str:
    """Return `1x3x64x96` for `(1, 3, 64, 96)`, and `()` for the shape of a scalar."""
    return "x".join(map(str, shape)) or "()"
