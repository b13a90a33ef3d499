"""Commands that are interrupted at random moments, and browsers that are killed under them.

`--cases` is the number of interruptions, a third of them of the browser. `commands` sends kill -9, Ctrl-C and SIGTERM
to every command that writes; `browser` kills the browser at each stage of a run.
"""

from __future__ import annotations

import pandas as pd

from benchmarks.interruptions import browser, commands

TOTAL = 150
"""Interruptions; a third of them of the browser."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.cases or TOTAL, options.seed)


def run(total: int = TOTAL, seed: int = 0) -> dict:
    """Return a JSON object with `title` and one row per command and per stage; `faults` says what was not right."""
    rows = [*commands.rows(total - total // 3, seed), *browser.rows(total // 3, seed)]
    return {"title": f"{total} interruptions, and how they ended", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print, and print the faults."""
    for row in result["rows"]:
        for fault in row["faults"]:
            print(f"{row['what']}: {fault}")
    return pd.DataFrame(result["rows"]).drop(columns=["faults"])
