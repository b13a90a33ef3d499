"""Does lowering keep the result? Thousands of random small models, every rule among them, in ONNX Runtime."""

from __future__ import annotations

import pandas as pd

from tests.random_models import CASES, Case, cases, judge

TOTAL = 2000


def measure(options) -> dict:
    """The benchmark as `python -m benchmarks` runs it."""
    return run(options.cases)


def run(total: int = TOTAL) -> dict:
    """Judge about `total` cases, each rule as often as the others.

    Returns a JSON object with `title` and one row a rule: cases, the largest error relative to the largest value of a
    case, the limit, and whether none was over it (`right`). A case whose model cannot be lowered ends the run with
    hypothesis's smallest example of it.
    """
    from tqdm import tqdm

    each = -(-total // len(CASES))
    rows = [_judged(rule, each) for rule in tqdm(CASES, desc="random models")]
    return {"title": f"{sum(row['cases'] for row in rows)} random models, lowered", "rows": rows}


def _judged(rule: str, count: int) -> dict:
    from hypothesis import HealthCheck, given, settings

    verdicts = []

    @settings(
        max_examples=count, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(cases(rule))
    def hold(case: Case) -> None:
        verdicts.append(judge(case))

    hold()
    error, limit = max(v.error for v in verdicts), max(v.limit for v in verdicts)
    right = all(v.error <= v.limit for v in verdicts)
    return {"rule": rule, "cases": len(verdicts), "error": error, "limit": limit, "right": right}


def table(result: dict) -> pd.DataFrame:
    """The columns that a person reads."""
    return pd.DataFrame(result["rows"])
