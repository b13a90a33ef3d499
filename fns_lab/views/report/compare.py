"""Two reports side by side: the figures of the same notebooks, from another day or another machine."""

from __future__ import annotations

import json
import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from fns_lab.errors import InputError
from fns_lab.measure.bench import are_apart
from fns_lab.views.report.tables import KEYS, ms_text, timed

FACTS = "run.json"
"""File in a notebook's folder of data with the machine that it ran on."""


class Table(NamedTuple):
    """A table of the page: `columns`, and `rows` as text; `marked` are the numbers of rows that differ."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    marked: frozenset[int] = frozenset()


@dataclass
class NotebookPair:
    """What the page shows of one notebook, and how many of its figures differ."""

    name: str
    missing: str = ""
    tables: list[Table] = field(default_factory=list)
    times: int = 0
    beyond: int = 0
    figures: int = 0
    different: int = 0


def checked(folder: Path) -> Path:
    """Return the folder of a report. Raises `InputError` if it is none."""
    if not any(folder.glob(f"*/{FACTS}")):
        raise InputError(f"{folder}: no report with figures in this folder; `fns-lab report -o {folder}` writes one")
    return folder


def pairs(a: Path, b: Path, names: Sequence[str]) -> list[NotebookPair]:
    """Return what two reports say of each of these notebooks; `a` has all of them."""
    return [_pair(a / name, b / name) for name in names]


def summary(notebooks: Sequence[NotebookPair]) -> str:
    """Return how many figures differ, in one sentence."""
    times, beyond, figures, different = (
        sum(getattr(pair, name) for pair in notebooks) for name in ("times", "beyond", "figures", "different")
    )
    return f"{beyond} of {times} times differ beyond the spread; {different} of {figures} other figures differ."


def _pair(a: Path, b: Path) -> NotebookPair:
    pair = NotebookPair(a.name)
    if not (b / FACTS).is_file():
        pair.missing = "The other report does not have this notebook."
        return pair
    _add_machines(pair, a, b)
    _add_times(pair, a, b)
    _add_figures(pair, a, b)
    return pair


def _add_machines(pair: NotebookPair, a: Path, b: Path) -> None:
    here, there = (json.loads((folder / FACTS).read_text(encoding="utf-8")) for folder in (a, b))
    facts = [{"started": facts["started"], **facts["machine"]} for facts in (here, there)]
    rows = [(name, *(str(fact.get(name, "")) for fact in facts)) for name in dict.fromkeys([*facts[0], *facts[1]])]
    marked = frozenset(i for i, row in enumerate(rows) if row[1] != row[2])
    pair.tables.append(Table("Machine", ("", "A", "B"), rows, marked))


def _add_times(pair: NotebookPair, a: Path, b: Path) -> None:
    both = _times(a).merge(_times(b), on=KEYS, suffixes=("_a", "_b"))
    rows, marked = [], set()
    for i, row in enumerate(both.to_dict("records")):
        apart = are_apart(row["p10_a"], row["p90_a"], row["p10_b"], row["p90_b"])
        marked |= {i} if apart else set()
        ratio = f"{row['median_b'] / row['median_a']:.2f}"
        where = "beyond the spread" if apart else "within the spread"
        rows.append((row["target"], row["model"], _time(row, "a"), _time(row, "b"), ratio, where))
    pair.times, pair.beyond = len(rows), len(marked)
    if rows:
        columns = ("target", "model", "A, ms", "B, ms", "time of B / time of A", "difference")
        pair.tables.append(Table("Times", columns, rows, frozenset(marked)))


def _times(folder: Path) -> pd.DataFrame:
    return timed({file.name: file.read_text(encoding="utf-8") for file in folder.glob("runs_*.csv")})


def _time(row: Mapping[Hashable, Any], side: str) -> str:
    median, low, high = (ms_text(row[f"{name}_{side}"]) for name in ("median", "p10", "p90"))
    return f"{median} [{low}, {high}]"


def _add_figures(pair: NotebookPair, a: Path, b: Path) -> None:
    rows = []
    for file in sorted(a.glob("table_*.csv")):
        here, there = (_read(folder / file.name) for folder in (a, b))
        if here is None or there is None or here.shape != there.shape or list(here) != list(there):
            rows.append((file.name, "all", "", _shape(here), _shape(there), "another table"))
            continue
        pair.figures += here.size
        rows += [(file.name, *difference) for difference in _differences(here, there)]
    pair.different = len(rows)
    if rows:
        pair.tables.append(Table("Other figures that differ", ("table", "row", "column", "A", "B", "B - A"), rows))


def _read(path: Path) -> pd.DataFrame | None:
    return pd.read_csv(path, dtype=str, keep_default_na=False) if path.is_file() else None


def _shape(table: pd.DataFrame | None) -> str:
    return "none" if table is None else f"{len(table)} rows, {len(table.columns)} columns"


def _differences(here: pd.DataFrame, there: pd.DataFrame) -> list[tuple[str, str, str, str, str]]:
    """Return row, column, both values and the difference of each cell that differs."""
    found = []
    for i, (row_a, row_b) in enumerate(zip(here.to_numpy().tolist(), there.to_numpy().tolist(), strict=True)):
        label = ", ".join(text for text in row_a if text and _number(text) is None) or str(i + 1)
        for column, a, b in zip(here.columns, row_a, row_b, strict=True):
            if a != b:
                found.append((label, str(column), _short(a), _short(b), _change(_number(a), _number(b))))
    return found


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _short(text: str) -> str:
    number = _number(text)
    return text if number is None or len(text) < 8 else f"{number:.4g}"


def _change(a: float | None, b: float | None) -> str:
    if a is None or b is None or not math.isfinite(b - a):
        return ""
    return f"{b - a:+.3g}" + (f" ({(b - a) / abs(a):+.1%})" if a else "")
