"""Tables as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pandas as pd


def json_rows(table: pd.DataFrame, columns: Sequence[str]) -> list[dict[str, object]]:
    """Return the rows as plain values for strict JSON, which has no NaN and no infinities: these become None."""
    rows = table.loc[:, list(columns)].astype(object).to_dict("records")
    return [{str(key): _plain(value) for key, value in row.items()} for row in rows]


def _plain(value: object) -> object:
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value
