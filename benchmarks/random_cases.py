"""Does a lowered model give the outputs of the original? Some forty random small models per rule, in ONNX Runtime."""

from __future__ import annotations

import pandas as pd

from fns_lab.errors import one_line
from tests.random_models import GENERATORS, Case, check_case, for_each_case

TOTAL = 2000
"""Random models that are lowered, over all rules."""


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    return run(options.cases or TOTAL)


def run(total: int = TOTAL) -> dict:
    """Lower about `total` random models, the same number for each rule.

    Returns a JSON object with `title` and one row per rule: `cases` (models that were lowered), `error` (the largest
    of a case, relative to the largest value), `limit` (the largest error allowed), `right` (every case was lowered and
    none was over its limit) and `fault` (of the smallest model that could not be lowered or run).
    """
    from tqdm import tqdm

    count = -(-total // len(GENERATORS))
    rows = [_row(rule, count) for rule in tqdm(GENERATORS, desc="random models")]
    return {"title": f"{sum(row['cases'] for row in rows)} random models, lowered", "rows": rows}


def _row(rule: str, count: int) -> dict:
    results = []

    def check(case: Case) -> None:
        results.append(check_case(case))

    fault = ""
    try:
        for_each_case(rule, count, check)
    except Exception as error:  # whatever an engine or a rule raises is what this looks for
        fault = one_line(error)
    return {
        "rule": rule,
        "cases": len(results),
        "error": max((result.error for result in results), default=None),
        "limit": max((result.limit for result in results), default=None),
        "right": not fault and all(result.error <= result.limit for result in results),
        "fault": fault,
    }


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])
