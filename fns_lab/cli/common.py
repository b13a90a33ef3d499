"""What several commands share: option types, parsing of sizes and shapes, printing."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fns_lab.errors import InputError, visible

if TYPE_CHECKING:
    import pandas as pd

ModelPath = Annotated[Path, typer.Argument(metavar="M.onnx", help="An ONNX model.", show_default=False)]
TargetName = Annotated[str, typer.Option("--target", metavar="T", help="The target, such as onnxjs-0.1.8/wasm.")]
TargetNames = Annotated[list[str], typer.Option("--target", metavar="T", help="A target; may be given several times.")]
JsonFlag = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else on stdout.")]
Top = Annotated[int | None, typer.Option("--top", metavar="N", min=1, help="Print only the N rows that matter most.")]
Shapes = Annotated[
    list[str] | None,
    typer.Option("--shape", metavar="NAME=1x3x128x128", help="Fix the shape of an input with free dimensions."),
]
AllowApproximate = Annotated[
    bool, typer.Option("--allow-approximate", help="Also apply rules that change the result slightly.")
]
InPlace = Annotated[bool, typer.Option("--in-place", help="Allow the output to replace an input.")]
OutputModel = Annotated[Path, typer.Option("-o", "--output", metavar="OUT.onnx", help="File to write the model to.")]


def note(message: str) -> None:
    """Print a message to stderr, so that stdout holds only results; each message once per command."""
    if _verbosity >= 0 and message not in _noted:
        _noted.add(message)
        print(visible(message), file=sys.stderr)


def print_json(data: dict[str, Any]) -> None:
    """Print one JSON object on one line. NaN and Inf, which JSON does not have, raise ValueError."""
    print(json.dumps(data, allow_nan=False))


def print_table(table: pd.DataFrame, *, empty: str = "", top: int | None = None) -> None:
    """Print the first `top` rows of a table, or all, as aligned text, or the sentence `empty` if it has no rows."""
    shown = table.head(top) if top else table
    print(shown.to_string(index=False, na_rep="", float_format="{:.3g}".format) if len(table) else empty)
    if len(shown) < len(table):
        print(f"... and {len(table) - len(shown)} more of {len(table)} rows")


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


def checked_output(path: Path, suffixes: Collection[str], hint: str) -> Path:
    """Return `path`. Raises `InputError`, before the work begins, if nothing can be written there, or for its suffix.

    A device or a pipe, such as /dev/stdout, may have any suffix, unless the suffix says what is written.
    """
    from fns_lab.files import can_be_written

    if not can_be_written(path) and path.suffix.lower() not in suffixes:
        raise InputError(f"{path}: unknown suffix {path.suffix!r}; {hint}")
    return path


def checked_folder(path: Path) -> Path:
    """Return `path`. Raises `InputError`, before the work begins, if it cannot be made or is no folder."""
    if path.exists() and not path.is_dir():
        raise InputError(f"{path}: a file, not a folder")
    if not path.parent.is_dir():
        raise InputError(f"{path}: there is no folder {path.parent}; create it first")
    return path


def checked_model(path: Path, source: Path | None = None, *, in_place: bool = False) -> Path:
    """Return `path`, an ONNX file to write. Raises `InputError` as `checked_output` does.

    Raises it too if the model to read, `source`, is the same file, unless `in_place` allows to replace it.
    """
    checked_output(path, (".onnx",), "use .onnx")
    if source is not None and not in_place and _is_same_file(path, source):
        raise InputError(f"{path}: is the input; give another name, or --in-place to replace it")
    return path


def keep_inputs(output: Path, *inputs: Path | None) -> None:
    """Raise `InputError` if `output` is one of the inputs."""
    if any(path is not None and _is_same_file(output, path) for path in inputs):
        raise InputError(f"{output}: is an input; give another name")


def _is_same_file(a: Path, b: Path) -> bool:
    try:
        return a.samefile(b)
    except OSError:  # one of them is not there
        return False


def set_verbosity(level: int) -> None:
    """Set how much is printed: -1 results and errors alone, 0 notes and progress too, 1 where an error arose too.

    A command begins with this: notes that an earlier one printed are printed again.
    """
    global _verbosity
    _verbosity = level
    _noted.clear()
    if level < 0:
        os.environ["TQDM_DISABLE"] = "1"


def verbosity() -> int:
    """Return what `set_verbosity` set."""
    return _verbosity


_verbosity = 0
_noted: set[str] = set()
