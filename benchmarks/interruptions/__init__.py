"""Commands that are interrupted at random moments, and browsers that are killed under them.

`--cases` is the number of interruptions, a third of them of the browser. `commands` sends kill -9, Ctrl-C and SIGTERM
to every command that writes; `browser` kills the browser at each stage of a run.
"""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pandas as pd

from benchmarks import kept
from benchmarks.interruptions import browser, commands
from fns_lab.paths import CACHE

TOTAL = 150
"""Interruptions; a third of them of the browser."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    total = options.cases or TOTAL
    return run(total, options.seed, CACHE / "interruptions" / f"{total}-{options.seed}.jsonl")


def run(total: int = TOTAL, seed: int = 0, path: Path | None = None) -> dict:
    """Return a JSON object with `title` and one row per command and per stage; `faults` says what was not right.

    `path` is a file in which rows are kept; a run that was stopped goes on, and makes those with faults again.
    """
    rows = {what: row for what, row in kept.read(path).items() if row["right"]}
    for row in chain(commands.rows(total - total // 3, seed, {*rows}), browser.rows(total // 3, seed, {*rows})):
        kept.add(path, {row["what"]: row})
        rows[row["what"]] = row
    return {"title": f"{total} interruptions, and how they ended", "rows": [*rows.values()]}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print, and print the faults."""
    for row in result["rows"]:
        for fault in row["faults"]:
            print(f"{row['what']}: {fault}")
    return pd.DataFrame(result["rows"]).drop(columns=["faults"])
