"""The measured matrix: one row a target, case and variant."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fns_lab.tables import json_rows

RESULTS = ("pass", "wrong", "error", "unsupported")
JSON_KEYS = ("target", "op", "case", "variant", "result", "max_abs")
COLUMNS = (*JSON_KEYS, "supported", "message")


@dataclass(frozen=True)
class Matrix:
    """What `measure` saw. True when no target's table promises what its engine does not keep.

    `table` has one row a target, case and variant (`native`, `converted`, `lowered`): `result` is `pass`, `wrong`, `error`
    (the table takes it, the engine fails) or `unsupported` (both refuse, or there is nothing to run); `max_abs`, the
    largest error against what is expected, NaN if none; `supported`, what the table says; `message`, why not, or how
    wrong.
    """

    table: pd.DataFrame

    @property
    def broken(self) -> pd.DataFrame:
        """Rows where the table says supported and the engine is wrong or fails. The wrong ones are wrong in silence."""
        return self.table[self.table.supported & (self.table.result != "pass")]

    @property
    def unexpected(self) -> pd.DataFrame:
        """Rows where the table says no and the engine is right all the same."""
        return self.table[~self.table.supported & (self.table.result == "pass")]

    def counts(self) -> pd.DataFrame:
        """Cases by target and variant: how many of each result, and how many are `wrong in silence`."""
        groups = self.table.groupby(["target", "variant"], sort=False)
        counts = groups.result.value_counts().unstack(fill_value=0).reindex(columns=list(RESULTS), fill_value=0)
        silent = self.table.supported & (self.table.result == "wrong")
        counts["wrong in silence"] = silent.groupby([self.table.target, self.table.variant], sort=False).sum()
        return counts.reindex(list(dict.fromkeys(zip(self.table.target, self.table.variant, strict=True))))

    def __bool__(self) -> bool:
        return len(self.table) > 0 and self.broken.empty

    def __str__(self) -> str:
        lines = [
            f"{target}, {variant}: {row['pass']} of {row[list(RESULTS)].sum()} cases right, "
            f"{row['wrong in silence']} wrong in silence, {row['error']} fail though the table takes them"
            for (target, variant), row in self.counts().iterrows()
        ]
        return "\n".join(lines)

    def to_json(self) -> dict:
        """The object that `fns-lab matrix --json` prints; `max_abs` is null where nothing could be subtracted."""
        return {"rows": json_rows(self.table, JSON_KEYS)}


def joined(*matrices: Matrix) -> Matrix:
    """The rows of all."""
    return Matrix(pd.concat([matrix.table for matrix in matrices], ignore_index=True))
