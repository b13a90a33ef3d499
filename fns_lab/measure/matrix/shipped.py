"""The measurement that the project ships, as two small tables; `python -m fns_lab.measure.matrix` makes them again.

`nodes.csv` has a row a node test and a column a target. A cell is three letters, native, converted and lowered: `p`
right, `w` wrong, `e` the engine fails though the target's table takes it, `u` unsupported. `P` and `W` are right and
wrong where the table says no. `pairs.csv` is the same for pairs of ops, less the rows that hold nothing but `ppp`.
`faults.csv` has the evidence: every wrong or failing run with its largest error and the engine's words.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from fns_lab import targets
from fns_lab.files import atomic_write
from fns_lab.measure.matrix.table import COLUMNS, Matrix
from fns_lab.measure.matrix.variants import VARIANTS

TARGETS = tuple(name for name in targets.names() if targets.load(name).runtime in ("ort", "onnxjs", "ort-web"))
"""What is shipped: the worked case's engines and their yardstick. The matrix command takes any target, but an engine
in this process can end it: OpenCV 5.0.0 does on a Celu, and on a Mod by zero."""

FOLDER = Path(__file__).parent / "tables"
NODES, PAIRS, FAULTS = FOLDER / "nodes.csv", FOLDER / "pairs.csv", FOLDER / "faults.csv"

RESULT_OF = {"p": "pass", "w": "wrong", "e": "error", "u": "unsupported"}
LETTER_OF = {result: letter for letter, result in RESULT_OF.items()}
ALL_RIGHT = "p" * len(VARIANTS)
MESSAGE_CHARACTERS = 120


def write(matrix: Matrix, path: Path, notes: Sequence[str], *, leave_out_right: bool = False) -> None:
    """The letters of `matrix` under a head of `notes`, one a line."""
    cells = matrix.table.assign(
        letter=[_letter(*row) for row in zip(matrix.table.result, matrix.table.supported, strict=True)]
    )
    wide = cells.groupby(["op", "case", "target"], sort=False).letter.sum().unstack("target")
    wide = wide[list(dict.fromkeys(matrix.table.target))].fillna("")
    if leave_out_right:
        wide = wide[~wide.isin([ALL_RIGHT, ""]).all(axis=1)]
    _write(wide.reset_index(), path, notes)


def write_faults(matrix: Matrix, path: Path, notes: Sequence[str]) -> None:
    """The rows of `matrix` that are wrong or fail although the table takes them, with their evidence."""
    rows = matrix.table[matrix.table.result.isin(["wrong", "error"])].drop(columns="supported")
    messages = [" ".join(message.split())[:MESSAGE_CHARACTERS] for message in rows.message]
    _write(rows.assign(message=messages, max_abs=[f"{x:.3g}" for x in rows.max_abs]), path, notes)


def read(path: Path = NODES) -> Matrix:
    """A table of letters as a matrix again; it has no errors and no messages, which are in `faults.csv`."""
    wide = _read(path, keep_default_na=False)
    rows = [
        (target, op, case, variant, RESULT_OF[letter.lower()], float("nan"), letter in "pwe", "")
        for op, case, *cells in wide.itertuples(index=False)
        for target, cell in zip(wide.columns[2:], cells, strict=True)
        for variant, letter in zip(VARIANTS, cell, strict=False)
    ]
    return Matrix(pd.DataFrame(rows, columns=list(COLUMNS)))


def read_faults(path: Path = FAULTS) -> pd.DataFrame:
    """The evidence: target, op, case, variant, result, max_abs, message."""
    return _read(path, keep_default_na=False, converters={"max_abs": float})


def notes(path: Path = NODES) -> list[str]:
    """The head of a shipped file: how and with what it was measured."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line.removeprefix("# ") for line in lines if line.startswith("#")]


def _read(path: Path, **options) -> pd.DataFrame:
    return pd.read_csv(path, skiprows=len(notes(path)), **options)


def _letter(result: str, supported: bool) -> str:
    letter = LETTER_OF[result]
    return letter.upper() if result in ("pass", "wrong") and not supported else letter


def _write(table: pd.DataFrame, path: Path, notes: Sequence[str]) -> None:
    text = io.StringIO()
    text.writelines(f"# {note}\n" for note in notes)
    table.to_csv(text, index=False, lineterminator="\n")
    with atomic_write(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8")
