"""Results of the web site's benchmark page, saved as JSON on several machines and in several browsers, as one table."""

from __future__ import annotations

import json
import math
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fns_lab.compare import IMAGE_ACROSS_ENGINES
from fns_lab.errors import InputError, one_line

FORMAT = "fns-lab benchmark"
"""What a file of the page calls itself."""
BASE_OPS = "base ops"
"""The file of a network with which the others are compared."""
FACTORS = ("machine", "target", "file", "network", "size")
"""What a time depends on."""
COLUMNS = (
    *FACTORS, "nodes", "runs", "ms_start", "ms_load", "ms_first", "ms_median", "ms_p10", "ms_p90", "max_abs", "right",
    "times_as_fast", "source",
)  # fmt: skip
"""Columns of `BrowserResults.table`."""
TIMES = ("ms_start", "ms_load", "ms_first", "ms_median", "ms_p10", "ms_p90")
"""Columns with times, in ms."""
WRONG = IMAGE_ACROSS_ENGINES.floor
"""Largest difference to the expected pixels, of 255, of an image that counts as right."""
LONGEST_MS = 3_600_000.0
"""A run of more than an hour is no measurement."""


@dataclass(frozen=True)
class BrowserResults:
    """What a folder of files holds.

    - `table`: one row per network's file, size, engine and machine that was timed. `ms_start`: the engine's start;
      `ms_load`: the model's; `ms_first`: the first run; then the warm runs. `max_abs`: largest difference to the
      expected pixels, of 255, and `right`: whether that is rounding. `times_as_fast`: the base-ops file's median by
      this one's, on the same machine, in the same engine and at the same size; NaN without one that is right
    - `files`: one row per JSON file: of what machine it is, and how many of its rows are in `table`; `left_out` says
      why none is: a copy, another version, not a file of the page
    - `left_out`: one row per row of a file that is not in `table`, and the reason: it did not run, or its values are
      impossible
    """

    table: pd.DataFrame
    files: pd.DataFrame
    left_out: pd.DataFrame

    def __str__(self) -> str:
        used = self.files[self.files.left_out == ""]
        counts = [
            (len(used), f"file{'s' * (len(used) != 1)} read"),
            (len(self.files) - len(used), "left out"),
            (self.table.machine.nunique(), f"machine{'s' * (self.table.machine.nunique() != 1)}"),
            (len(self.table), f"timed row{'s' * (len(self.table) != 1)}"),
            (len(self.left_out), f"row{'s' * (len(self.left_out) != 1)} left out"),
        ]
        return ", ".join(f"{count} {what}" for count, what in counts)


@dataclass
class _File:
    path: Path
    content: dict[str, Any]
    left_out: str = ""
    machine: str = ""


def read(folder: str | os.PathLike[str]) -> BrowserResults:
    """Return what the JSON files of a folder hold. Raises `InputError` for no folder, or none of the page's files.

    Of equal files the first by name is read. Of several versions of fns_lab the one is read that most files are of,
    of equally many the latest: another one may time other models under the same names.
    """
    files = [_read(path) for path in _paths(Path(folder))]
    _leave_out_copies(files)
    _leave_out_versions(files)
    used = [file for file in files if not file.left_out]
    if not used:
        raise InputError(f"{folder}: no file of the benchmark page ({'; '.join(file.left_out for file in files)})")
    _name_machines(used)
    rows, left_out = _rows(used)
    return BrowserResults(_with_ratios(pd.DataFrame(rows, columns=list(COLUMNS))), _listed(files, rows), left_out)


def factors(table: pd.DataFrame) -> pd.DataFrame:
    """Return how many times as long as the fastest the slowest takes, for each of `FACTORS`, all others equal.

    - `factor`: what differs within a group of rows
    - `groups`: number of groups with at least two rows
    - `median`, `p10`, `p90`: of slowest by fastest, over the groups; the largest median comes first
    """
    rows = []
    for factor in FACTORS:
        others = [name for name in FACTORS if name != factor]
        groups = table.groupby(others)["ms_median"].agg(["min", "max", "count"]).query("count > 1")
        if len(groups):
            ratio = groups["max"] / groups["min"]
            rows.append((factor, len(groups), *ratio.quantile([0.5, 0.1, 0.9])))
    found = pd.DataFrame(rows, columns=["factor", "groups", "median", "p10", "p90"])
    return found.sort_values("median", ascending=False, ignore_index=True)


def _paths(folder: Path) -> list[Path]:
    if not folder.is_dir():
        raise InputError(f"{folder}: no such folder")
    paths = sorted(folder.glob("*.json"))
    if not paths:
        raise InputError(f"{folder}: no JSON files; save some with the site's benchmark page")
    return paths


def _read(path: Path) -> _File:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return _File(path, {}, f"not JSON: {one_line(error)}")
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        return _File(path, {}, "not saved by the benchmark page")
    if not _has_shape(content):
        return _File(path, content, "incomplete: it lacks the device, the version or the rows")
    return _File(path, content)


def _has_shape(content: Mapping[str, Any]) -> bool:
    device, rows = content.get("device"), content.get("rows")
    if not isinstance(device, dict) or not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return False
    texts = (device.get("browser"), device.get("system"), content.get("version"), content.get("date"))
    return all(isinstance(text, str) for text in texts) and isinstance(device.get("cores"), int)


def _leave_out_copies(files: Sequence[_File]) -> None:
    first: dict[str, _File] = {}
    for file in files:
        if not file.left_out:
            same = first.setdefault(json.dumps(file.content, sort_keys=True), file)
            file.left_out = "" if same is file else f"a copy of {same.path.name}"


def _leave_out_versions(files: Sequence[_File]) -> None:
    counts = Counter(file.content["version"] for file in files if not file.left_out)
    if not counts:
        return
    version = max(counts, key=lambda name: (counts[name], _numbers(name)))
    for file in files:
        if not file.left_out and file.content["version"] != version:
            file.left_out = f"of version {file.content['version']}; the others are of {version}"


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(int(part) if part.isdecimal() else 0 for part in version.split("."))


def _name_machines(files: Sequence[_File]) -> None:
    """Name each file's machine by browser, cores and threads; equal ones are numbered in the order of their dates."""
    seen: Counter[str] = Counter()
    for file in sorted(files, key=lambda file: file.content["date"]):
        device = file.content["device"]
        browser = device["browser"].split(".")[0]
        threads = "threads" if device.get("isolated") else "one thread"
        name = f"{browser}, {device['system']}, {device['cores']} cores, {threads}"
        seen[name] += 1
        file.machine = name if seen[name] == 1 else f"{name} ({seen[name]})"


def _rows(files: Sequence[_File]) -> tuple[list[dict[str, Any]], pd.DataFrame]:
    """Return the rows that were timed, and a table of the others."""
    rows, left_out, nodes = [], [], dict[tuple[str, ...], int]()
    for file in files:
        seen: set[tuple[str, ...]] = set()
        for row in file.content["rows"]:
            key = tuple(str(row.get(name)) for name in ("model", "file", "size", "target"))
            fault = _fault(row, nodes.setdefault(key, row.get("nodes"))) or ("given twice" if key in seen else "")
            seen.add(key)
            names = {"network": key[0], "file": key[1], "size": key[2], "target": key[3], "machine": file.machine}
            if fault:
                left_out.append({**names, "source": file.path.name, "reason": fault})
            else:
                values = {name: row.get(name) for name in (*TIMES, "nodes", "runs", "max_abs")}
                rows.append({**values, **names, "right": row["max_abs"] <= WRONG, "source": file.path.name})
    columns = ["source", "network", "file", "size", "target", "machine", "reason"]
    return rows, pd.DataFrame(left_out, columns=columns)


def _fault(row: Mapping[str, Any], nodes: object) -> str:
    """Return why a row is no measurement, empty if it is one. `nodes`: of the same file on the first machine."""
    if row.get("fault"):
        return f"did not run: {one_line(row['fault'])}"
    numbers: dict[str, Any] = {name: row.get(name) for name in (*TIMES, "max_abs", "runs", "nodes")}
    for name, value in numbers.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
            return f"not measured: no {name}" if value is None else f"impossible: {name} is {value!r}"
    for name in TIMES:
        if not (0 <= numbers[name] <= LONGEST_MS) or (name.startswith("ms_m") and numbers[name] == 0):
            return f"impossible: {name} is {numbers[name]:g}"
    if not numbers["ms_p10"] <= numbers["ms_median"] <= numbers["ms_p90"]:
        return "impossible: the median is not between p10 and p90"
    if numbers["max_abs"] < 0:
        return f"impossible: max_abs is {numbers['max_abs']:g}"
    if numbers["runs"] < 1 or numbers["nodes"] < 1:
        return "impossible: no runs or no nodes"
    return "" if numbers["nodes"] == nodes else f"another file: {numbers['nodes']} nodes, elsewhere {nodes}"


def _with_ratios(table: pd.DataFrame) -> pd.DataFrame:
    """Return the table with how many times as fast as the base-ops file each row is."""
    keys = ["machine", "target", "network", "size"]
    base = table[(table.file == BASE_OPS) & table.right.astype(bool)].set_index(keys)["ms_median"]
    of_row = base.reindex(pd.MultiIndex.from_frame(table[keys])).to_numpy(dtype=float)
    ratio = np.where(table.right.astype(bool), of_row / table["ms_median"].to_numpy(dtype=float), np.nan)
    return table.assign(times_as_fast=ratio, right=table.right.astype(bool))


def _listed(files: Sequence[_File], rows: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    counts = Counter(row["source"] for row in rows)
    return pd.DataFrame({
        "file": [file.path.name for file in files],
        "machine": [file.machine for file in files],
        "date": [str(file.content.get("date", ""))[:10] for file in files],
        "version": [str(file.content.get("version", "")) for file in files],
        "webgl": [str((file.content.get("device") or {}).get("webgl") or "") for file in files],
        "rows": [counts[file.path.name] for file in files],
        "left_out": [file.left_out for file in files],
    })  # fmt: skip
