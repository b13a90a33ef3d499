"""Two models, value by value: by how much each value differs, and which one differs first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import onnx
import pandas as pd

from fns_lab.compare.metrics import UNMEASURED, Metrics, measure, mismatch, not_finite, value_range
from fns_lab.compare.pairing import ops_of, partners, rules_of
from fns_lab.compare.tolerance import Tolerance
from fns_lab.tables import json_rows

OPS_KEYS = ("value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "rule")
COLUMNS = (*OPS_KEYS, "range", "limit", "fault")


class Skipped(NamedTuple):
    """A value that found no partner, and why."""

    value: str
    reason: str


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. True when everything that should agree was compared and does.

    `table` has one row a pair of values, in the order of model a's graph: `value` (its name in a), `op` (the op type in
    a that computes it), `max_abs`, `mean_abs`, `p99_abs` (in the unit of the value), `psnr_db` (peak: `range`), `rule`
    (the rewrite that wrote the node in b, or ""), `range` (of a's value and zero), `limit` (what the tolerance allows
    of `max_abs`), `fault` ("" or why the row fails). Errors are NaN where there was nothing to subtract.
    """

    table: pd.DataFrame
    compared: int
    skipped: tuple[Skipped, ...]
    tolerance: Tolerance

    @property
    def first_divergence(self) -> str | None:
        """The first value, in the order of a's graph, that fails; None when none does."""
        faulty = self.table.loc[self.table["fault"] != "", "value"]
        return None if faulty.empty else str(faulty.iloc[0])

    def __bool__(self) -> bool:
        return self.compared > 0 and self.first_divergence is None

    def __str__(self) -> str:
        counts = f"{self.compared} values compared, {len(self.skipped)} skipped"
        if self.first_divergence is not None:
            row = self.table.set_index("value").loc[self.first_divergence]
            origin = ", ".join(filter(None, (row["op"], row["rule"] and f"rule {row['rule']}")))
            return f"differs: first at {self.first_divergence!r} ({origin}): {row['fault']}; {counts}"
        if not self.compared:
            return f"differs: nothing was compared; {counts}"
        worst = self.table.loc[(self.table["max_abs"] / self.table["limit"]).fillna(0).idxmax()]
        nearest = f"max_abs {worst['max_abs']:.3g} of {worst['limit']:.3g} allowed ({self.tolerance})"
        return f"equal: {counts}; nearest its limit is {worst['value']!r} ({worst['op']}): {nearest}"

    def to_json(self) -> dict:
        """One strict JSON object. `psnr_db` is null for arrays that are equal; with `max_abs` null too, the row has no
        error because a value was missing, had another shape, or held NaN or Inf."""
        return {
            "equal": bool(self),
            "compared": self.compared,
            "skipped": len(self.skipped),
            "first_divergence": self.first_divergence,
            "ops": json_rows(self.table, OPS_KEYS),
        }


def compare(
    a: onnx.ModelProto,
    b: onnx.ModelProto,
    values_a: Mapping[str, np.ndarray],
    values_b: Mapping[str, np.ndarray],
    tolerance: Tolerance,
) -> Comparison:
    """Compare the values of two models that ran on the same input; a is the reference.

    Values pair up as `fns_lab.compare.pairing.partners` says: by name, graph outputs also by position, layers of two
    exports by their path in the network. A graph output of a that has no partner,
    another shape, a NaN or Inf anywhere, or no pair at all makes the comparison fail; any other value without a
    partner is listed in `skipped`.
    """
    ops, rules, pairs = ops_of(a), rules_of(b), partners(a, b)
    outputs = {value.name for value in a.graph.output}
    rows, skipped, compared = [], [], 0
    for name, op in ops.items():
        partner = pairs.get(name)
        missing = _missing(name, partner, values_a, values_b)
        if missing and name not in outputs:
            skipped.append(Skipped(name, missing))
            continue
        compared += not missing
        rule = rules.get(partner, "")
        if missing:
            rows.append(_row(name, op, rule, UNMEASURED, float("nan"), missing))
        else:
            rows.append(_compared_row(name, op, rule, values_a[name], values_b[partner], tolerance))
    paired = set(pairs.values())
    skipped += [Skipped(name, "only in b") for name in rules if name not in paired]
    return Comparison(pd.DataFrame(rows, columns=list(COLUMNS)), compared, tuple(skipped), tolerance)


def _missing(name: str, partner: str | None, values_a: Mapping, values_b: Mapping) -> str:
    if partner is None:
        return "only in a"
    if name not in values_a:
        return "not among the values of a"
    return "" if partner in values_b else "not among the values of b"


def _compared_row(
    name: str, op: str, rule: str, x: np.ndarray, y: np.ndarray, tolerance: Tolerance
) -> dict[str, object]:
    fault = mismatch(x, y)
    if fault:
        return _row(name, op, rule, UNMEASURED, float("nan"), fault)
    metrics = measure(x, y, peak=value_range(x))
    limit = tolerance.limit(metrics.peak)
    if in_a := not_finite(x):
        fault = f"a has {in_a}"
    elif in_b := not_finite(y):
        fault = f"b has {in_b}"
    elif not metrics.max_abs <= limit:
        fault = f"max_abs {metrics.max_abs:.3g} is beyond {limit:.3g} ({tolerance})"
    return _row(name, op, rule, metrics, limit, fault)


def _row(name: str, op: str, rule: str, metrics: Metrics, limit: float, fault: str) -> dict[str, object]:
    return {
        "value": name,
        "op": op,
        "max_abs": metrics.max_abs,
        "mean_abs": metrics.mean_abs,
        "p99_abs": metrics.p99_abs,
        "psnr_db": metrics.psnr_db,
        "rule": rule,
        "range": metrics.peak,
        "limit": limit,
        "fault": fault,
    }
