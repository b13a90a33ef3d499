"""Every target swept with one seed: whether what its table says, and what `lower` writes, is true in the engine.

`fns-lab matrix --sweep` prints the faults themselves. Results that were measured before are looked up.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import pandas as pd

from fns_lab import targets
from fns_lab.measure.sweep.sweep import CASES, sweep


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.target or targets.names(), options.cases or CASES, options.seed)


def run(names: Sequence[str], cases: int, seed: int, ops: Sequence[str] | None = None) -> dict:
    """Sweep each target, of all ops or of `ops` alone.

    Returns a JSON object with `title` and `rows`, one row per target and variant: cases, seconds for all variants
    of the target together, cases that passed, that are refused, that are silently wrong, and that fail though the
    table supports them (`broken`). `right`: neither of the last two. What was measured before Ctrl-C is kept.
    """
    rows: list[dict[str, object]] = []
    for name in names:
        start = time.perf_counter()
        measured = sweep([targets.load(name)], ops=ops, cases=cases, seed=seed)
        if measured.interrupted:
            raise KeyboardInterrupt
        seconds = round(time.perf_counter() - start, 1)
        for variant, found in measured.table.groupby("variant", sort=False):
            broken = measured.broken[measured.broken.variant == variant].result
            rows.append({
                "target": name, "variant": variant, "cases": len(found), "seconds": seconds,
                "passed": int((found.result == "pass").sum()), "refused": int((found.result == "unsupported").sum()),
                "wrong": int((broken == "wrong").sum()), "broken": int((broken == "error").sum()),
                "right": broken.empty,
            })  # fmt: skip
    return {"title": f"nodes drawn with seed {seed}", "seed": seed, "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])
