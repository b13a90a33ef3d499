"""The tables of a report as CSV: what times they hold, and how a page shows them."""

from __future__ import annotations

import io
from collections.abc import Mapping

import pandas as pd

KEYS = ["result", "target", "model"]
"""Columns that say which times belong together."""
PERCENTILES = {"median": 0.5, "p10": 0.1, "p90": 0.9}
"""Shares of the sorted times, by column."""


def timed(data: Mapping[str, str]) -> pd.DataFrame:
    """Return median, tenth and ninetieth percentile of each timed model, in ms, and the number of its runs.

    `data` are CSV files by name; each `runs_NAME.csv` has the runs of the result NAME of a notebook. The warm-up does
    not count.
    """
    frames = [
        pd.read_csv(io.StringIO(text)).assign(result=name.removeprefix("runs_").removesuffix(".csv"))
        for name, text in sorted(data.items())
        if name.startswith("runs_")
    ]
    columns = [*KEYS, *PERCENTILES, "runs"]
    if not frames:
        return pd.DataFrame(columns=columns)
    runs = pd.concat(frames, ignore_index=True).astype({"counted": bool, "ms": float})
    counted = runs[runs.counted].groupby(KEYS, sort=False).ms
    rows = {name: counted.quantile(share) for name, share in PERCENTILES.items()} | {"runs": counted.size()}
    return pd.DataFrame(rows).reset_index()[columns]


def html_of(table: pd.DataFrame) -> str:
    """Return a table of times as HTML."""
    html: str = table.to_html(index=False, border=0, float_format=ms_text, justify="right")
    return html


def ms_text(ms: float) -> str:
    """Return a time in ms with three digits, those before the point in full: `0.123`, `12.3`, `1234`."""
    return f"{ms:.0f}" if ms >= 100 else f"{ms:.3g}"
