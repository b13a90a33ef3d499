"""Tables on their way out of the package."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd


def json_rows(table: pd.DataFrame, columns: Sequence[str]) -> list[dict]:
    """The rows as plain values that strict JSON can hold: NaN and the infinities, which it lacks, become None."""
    rows = table.loc[:, list(columns)].astype(object).to_dict("records")
    return [{key: _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
