"""The measured tables that the project ships; `python -m fns_lab.measure.matrix` measures and writes them again.

`nodes.csv` has one row per node test and one column per target. A cell has one letter per variant: native, converted
and lowered. `p` is right, `w` wrong, `e` means that the engine fails though the target's table supports the model, `u`
is unsupported; `P` and `W` are right and wrong where the table does not support it. `pairs.csv` is the same for pairs
of ops, without the rows in which every cell is `ppp`. `faults.csv` lists every wrong or failing run with its largest
error and the engine's message.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fns_lab import targets
from fns_lab.files import write_text
from fns_lab.measure.matrix.table import COLUMNS, Matrix
from fns_lab.measure.matrix.variants import VARIANTS

TARGETS = tuple(name for name in targets.names() if targets.load(name).runtime in ("ort", "onnxjs", "ort-web"))
"""The targets of the shipped tables: the engines of the worked case, and ONNX Runtime, with which they are compared."""

FOLDER = Path(__file__).parent / "tables"
"""Folder of the tables that ship."""
NODES = FOLDER / "nodes.csv"
"""The table of ONNX's node tests."""
PAIRS = FOLDER / "pairs.csv"
"""The table of pairs of ops."""
FAULTS = FOLDER / "faults.csv"
"""The faults, with what they showed."""

RESULT_OF = {"p": "pass", "w": "wrong", "e": "error", "u": "unsupported"}
"""Results by the letter that stands for them in a table that ships."""
LETTER_OF = {result: letter for letter, result in RESULT_OF.items()}
"""Letters by result."""
ALL_RIGHT = "p" * len(VARIANTS)
"""The letters of a case that passes in every variant."""
MESSAGE_CHARACTERS = 120
"""Characters of an engine's message that a table keeps."""


def write(matrix: Matrix, path: Path, notes: Sequence[str], *, leave_out_right: bool = False) -> None:
    """Write the letters of `matrix` below `notes`, one comment line per note."""
    cells = matrix.table.assign(
        letter=[_letter(*row) for row in zip(matrix.table.result, matrix.table.supported, strict=True)]
    )
    wide = cells.groupby(["op", "case", "target"], sort=False).letter.sum().unstack("target")
    wide = wide[list(dict.fromkeys(matrix.table.target))].fillna("")
    if leave_out_right:
        wide = wide[~wide.isin([ALL_RIGHT, ""]).all(axis=1)]
    _write(wide.reset_index(), path, notes)


def write_faults(matrix: Matrix, path: Path, notes: Sequence[str]) -> None:
    """Write the rows of `matrix` that are wrong or fail, with error and message."""
    rows = matrix.table[matrix.table.result.isin(["wrong", "error"])].drop(columns="supported")
    messages = [" ".join(message.split())[:MESSAGE_CHARACTERS] for message in rows.message]
    _write(rows.assign(message=messages, max_abs=[f"{x:.3g}" for x in rows.max_abs]), path, notes)


def read(path: Path = NODES) -> Matrix:
    """Read a table of letters. Its errors are NaN and its messages empty; both are in `faults.csv`."""
    wide = _read(path)
    rows = [
        (target, op, case, variant, RESULT_OF[letter.lower()], float("nan"), letter in "pwe", "")
        for op, case, *cells in wide.itertuples(index=False)
        for target, cell in zip(wide.columns[2:], cells, strict=True)
        for variant, letter in zip(VARIANTS, cell, strict=False)
    ]
    return Matrix(pd.DataFrame(rows, columns=list(COLUMNS)))


def read_faults(path: Path = FAULTS) -> pd.DataFrame:
    """Read `faults.csv`: target, op, case, variant, result, max_abs, message (see `Matrix`)."""
    return _read(path, numbers=["max_abs"])


def notes(path: Path = NODES) -> list[str]:
    """Return the comment lines of a shipped file: how and with which engines it was measured."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("#")]


def _read(path: Path, *, numbers: Sequence[str] = ()) -> pd.DataFrame:
    converters = dict.fromkeys(numbers, float)
    return pd.read_csv(path, skiprows=len(notes(path)), keep_default_na=False, converters=converters)


def _letter(result: str, supported: bool) -> str:
    letter = LETTER_OF[result]
    return letter.upper() if result in ("pass", "wrong") and not supported else letter


def _write(table: pd.DataFrame, path: Path, notes: Sequence[str]) -> None:
    text = io.StringIO()
    text.writelines(f"# {note}\n" for note in notes)
    table.to_csv(text, index=False, lineterminator="\n")
    write_text(path, text.getvalue())
