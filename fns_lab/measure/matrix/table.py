"""The measured matrix: one row per target, case and variant."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from fns_lab.tables import json_rows

RESULTS = ("pass", "wrong", "error", "unsupported")
"""Results of a case, best first but for the last."""
JSON_KEYS = ("target", "op", "case", "variant", "result", "max_abs")
"""Keys of an entry of `rows` in `matrix --json`."""
COLUMNS = (*JSON_KEYS, "supported", "message")
"""Columns of a matrix."""


@dataclass(frozen=True)
class Matrix:
    """What `measure_cases` measured. True when every engine agrees with its target's table.

    `table` has one row per target, case and variant:

    - `target`: the target's name
    - `op`: the op under test, or two ops joined by `ARROW`
    - `case`: the test's name
    - `variant`: `native`, `converted` or `lowered` (see `fns_lab.measure.matrix.variants`)
    - `result`: `pass`; `wrong`, another value than expected; `error`, the engine fails though the table supports it;
      `unsupported`, the table and the engine refuse, or there is no model to run
    - `max_abs`: largest absolute error against the expected values; NaN where nothing could be subtracted
    - `supported`: whether the target's table supports the model
    - `message`: why it is not supported, or what is wrong
    """

    table: pd.DataFrame

    @property
    def falsely_supported(self) -> pd.DataFrame:
        """Rows where the target's table says supported, but the result is `wrong` (silently) or `error`."""
        return self.table[self.table.supported & (self.table.result != "pass")]

    def counts(self) -> pd.DataFrame:
        """Return one row per target and variant: cases of each of `RESULTS`, and the `silently wrong` ones."""
        groups = self.table.groupby(["target", "variant"], sort=False)
        counts = groups.result.value_counts().unstack(fill_value=0).reindex(columns=list(RESULTS), fill_value=0)
        silent = self.table.supported & (self.table.result == "wrong")
        counts["silently wrong"] = silent.groupby([self.table["target"], self.table["variant"]], sort=False).sum()
        order = dict.fromkeys(zip(self.table["target"], self.table["variant"], strict=True))
        return counts.reindex(pd.MultiIndex.from_tuples(list(order), names=["target", "variant"]))

    def __bool__(self) -> bool:
        return len(self.table) > 0 and self.falsely_supported.empty

    def __str__(self) -> str:
        counts = self.counts()
        lines = [
            f"{target}, {variant}: {row['pass']} of {sum(row[result] for result in RESULTS)} cases right, "
            f"{row['silently wrong']} silently wrong, {row['error']} fail though the table supports them"
            for (target, variant), row in zip(counts.index, counts.to_dict("records"), strict=True)
        ]
        return "\n".join(lines)

    def methods(self) -> str:
        """Return what ran, in one sentence for a write-up."""
        cases, variants = self.table.case.nunique(), ", ".join(self.table.variant.unique())
        return (
            f"{cases} test case{'s' * (cases != 1)} of {self.table.op.nunique()} ops or pairs of ops ran as "
            f"{variants} model in {', '.join(self.table.target.unique())}; "
            "the outputs were compared with the expected ones."
        )

    def to_json(self) -> dict[str, object]:
        """Return the object that `fns-lab matrix --json` prints; `max_abs` is null where it is NaN."""
        return {"rows": json_rows(self.table, JSON_KEYS)}


def joined(*matrices: Matrix) -> Matrix:
    """Return a matrix with the rows of all."""
    return Matrix(pd.concat([matrix.table for matrix in matrices], ignore_index=True))
