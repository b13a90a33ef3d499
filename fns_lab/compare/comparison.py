"""Two models, value by value: by how much each value differs, and which one differs first."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import onnx
import pandas as pd

from fns_lab.compare.graph import Graph
from fns_lab.compare.metrics import UNMEASURED, Metrics, error_map, measure, mismatch, not_finite, value_range
from fns_lab.compare.pairing import ops_of, owners, partners, rules_of
from fns_lab.compare.tolerance import Tolerance, for_type
from fns_lab.compare.values import ChunkReader, GivenValues, Values
from fns_lab.tables import json_rows

METRICS = ("max_abs", "mean_abs", "p99_abs", "psnr_db", "max_rel", "max_ulps", "decades")
"""Columns with the errors of a pair of values."""
OPS_KEYS = ("value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "rule", "max_rel", "max_ulps", "decades",
            "fault", "origin")  # fmt: skip
"""Keys of an entry of `ops` in `compare --json`."""
TRUTH_KEYS = ("truth_error_a", "truth_error_b")
"""Columns that a comparison with a truth has as well: how far a and b are from it."""
COLUMNS = ("value", "op", *METRICS, "rule", "range", "limit", "fault", "origin", *TRUTH_KEYS)
"""Columns of `Comparison.table`."""

Row = dict[str, object]
"""One row of a comparison's table, by column."""


class Skipped(NamedTuple):
    """A value that was not compared, and why."""

    value: str
    reason: str


class Finding(NamedTuple):
    """Nodes that give a wrong result on correct inputs."""

    value: str
    """The value of a whose partner in b is wrong."""
    ops: tuple[str, ...]
    """Op types of the nodes, in order, without Constants. Several: a rewrite, or ops that are wrong only together."""
    nodes: tuple[str, ...]
    """The first output of each of the nodes in b."""
    source: str
    """"engine": only b's engine computes the wrong result; "rewrite": a's engine computes it too."""
    max_abs: float
    """Largest absolute error of the value, in its unit."""
    limit: float
    """Largest `max_abs` that the tolerance allows."""

    def __str__(self) -> str:
        nodes = "these nodes give" if len(self.ops) > 1 else "this node gives"
        where = {"engine": "only in engine B", "rewrite": "also in engine A"}[self.source]
        return f"{self.value!r} introduced by {' + '.join(self.ops)}: {nodes} a wrong result on correct inputs, {where}"


@dataclass(frozen=True)
class Comparison:
    """The result of `compare`; true if all values that should agree were compared and do.

    `table` has one row per pair of values, in the order of a's graph. Errors are NaN where nothing could be measured
    (a missing value, another shape, NaN or Inf). Its columns:

    - `value`: name of the value in a.
    - `op`: op type of the node in a that computes it, "" if no node does.
    - `max_abs`: largest absolute error, in the unit of the value.
    - `mean_abs`: mean absolute error, in the unit of the value.
    - `p99_abs`: 99th percentile of the absolute error, in the unit of the value.
    - `psnr_db`: peak signal-to-noise ratio in dB, with `range` as the peak; inf for equal arrays.
    - `max_rel`: `max_abs` as a fraction of `range`.
    - `max_ulps`: largest error in steps of the element type; NaN if the two types differ.
    - `decades`: histogram of the errors relative to `range`, one count per power of ten (see `Metrics`).
    - `rule`: the rewrite rule that wrote the node in b, or "".
    - `range`: distance from the lowest to the highest of a's value and zero.
    - `limit`: largest `max_abs` that the tolerance allows.
    - `fault`: why the row fails, or "".
    - `origin`: "introduced", "inherited", "unexplained" or "untried" (see `localize`), or "".
    - `truth_error_a`, `truth_error_b`: largest absolute error of a's and b's value against the truth; NaN without one.
    """

    table: pd.DataFrame
    compared: int
    """Number of pairs of values that were compared."""
    skipped: tuple[Skipped, ...]
    """Values that were not compared, each with the reason."""
    tolerance: Tolerance
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Where in the image the error is, `(H, W)`, for the graph outputs and the first value that differs."""
    changed_by_instrumentation: Mapping[str, float] = field(default_factory=dict)
    """How much the outputs of "a" and "b" changed while inner values were outputs too, as a fraction of the range."""
    findings: tuple[Finding, ...] = ()
    """The nodes that introduced an error, in the order of a's graph (see `localize`)."""

    @property
    def first_divergence(self) -> str | None:
        """The first value, in the order of a's graph, that fails; None if all pass."""
        faulty = self.table.loc[self.table["fault"] != "", "value"]
        return None if faulty.empty else str(faulty.iloc[0])

    def __bool__(self) -> bool:
        return self.compared > 0 and self.first_divergence is None

    def __str__(self) -> str:
        return "; ".join([self._result(), *map(str, self.findings[:1]), *self._warnings(), *self._truth_counts()])

    def _result(self) -> str:
        if self.first_divergence is not None:
            row = self.table[self.table["value"] == self.first_divergence].iloc[0]
            op = ", ".join(filter(None, (str(row["op"]), row["rule"] and f"rule {row['rule']}")))
            return f"differs: first at {self.first_divergence!r} ({op}): {row['fault']}; {self._counts()}"
        if not self.compared:
            return f"differs: nothing was compared; {self._counts()}"
        share = (self.table["max_abs"] / self.table["limit"]).fillna(0)
        row = self.table.iloc[int(share.to_numpy().argmax())]
        nearest = f"max_abs {row['max_abs']:.3g} of {row['limit']:.3g} allowed ({self.tolerance})"
        return f"equal: {self._counts()}; nearest to its limit is {row['value']!r} ({row['op']}): {nearest}"

    def _counts(self) -> str:
        reasons = Counter(skipped.reason.split(" (")[0] for skipped in self.skipped)
        skipped = [f"{_values(count)} skipped: {reason}" for reason, count in reasons.most_common()]
        return ", ".join([f"{_values(self.compared)} compared", *skipped])

    def _warnings(self) -> list[str]:
        return [
            f"the output of {name.upper()} changed by {change:.2g} of its range while inner values were outputs too"
            for name, change in self.changed_by_instrumentation.items()
            if change > self.tolerance.fraction
        ]

    def _truth_counts(self) -> list[str]:
        rows = self.table.dropna(subset=list(TRUTH_KEYS))
        if rows.empty:
            return []
        error_a, error_b = (rows[key] for key in TRUTH_KEYS)
        nearer, farther = rows[error_b < error_a], rows[error_b > error_a]
        counts = f"B is nearer the truth than A in {len(nearer)} and farther in {len(farther)} of {_values(len(rows))}"
        if farther.empty:
            return [counts]
        excess = (farther["truth_error_b"] - farther["truth_error_a"]) / farther["range"]
        row = farther.iloc[int(excess.to_numpy().argmax())]
        errors = f"{row['truth_error_b']:.3g} against {row['truth_error_a']:.3g}"
        return [f"{counts}, most at {row['value']!r} ({row['op']}): {errors}"]

    def methods(self) -> str:
        """Return what was compared, in one sentence for a write-up."""
        return f"Two models were compared value by value ({self._counts()}); allowed are {self.tolerance}."

    def to_json(self) -> dict[str, Any]:
        """Return one strict JSON object.

        `psnr_db` is null for arrays that are equal. If `max_abs` is null too, the row has no error because a value was
        missing, had another shape, or held NaN or Inf.
        """
        truth_keys = TRUTH_KEYS if bool(self.table[list(TRUTH_KEYS)].notna().to_numpy().any()) else ()
        return {
            "equal": bool(self),
            "compared": self.compared,
            "skipped": len(self.skipped),
            "first_divergence": self.first_divergence,
            "ops": json_rows(self.table, (*OPS_KEYS, *truth_keys)),
            "introduced": [finding._asdict() for finding in self.findings],
            "changed_by_instrumentation": {
                name: change if np.isfinite(change) else None
                for name, change in self.changed_by_instrumentation.items()
            },
        }


def compare(
    a: onnx.ModelProto,
    b: onnx.ModelProto,
    values_a: Mapping[str, np.ndarray],
    values_b: Mapping[str, np.ndarray],
    tolerance: Tolerance,
    *,
    truth: Mapping[str, np.ndarray] | None = None,
) -> Comparison:
    """Compare the values of two models that ran on the same input; a is the reference.

    Values pair up by name, graph outputs also by position, layers of two exports by their path in the network (see
    `fns_lab.compare.pairing.partners`). The comparison fails if a graph output of a has no partner, a pair differs in
    shape or by more than the tolerance, an array holds NaN or Inf, or there is no pair at all. Any other value without
    a partner is listed in `skipped`. `truth` holds correct values by their names in a, such as those of a run in
    float64; the table then has the error of a and of b against them.
    """
    return compare_values(a, b, GivenValues(values_a), GivenValues(values_b), tolerance, truth=truth)


def compare_values(
    a: onnx.ModelProto,
    b: onnx.ModelProto,
    values_a: Values | GivenValues,
    values_b: Values | GivenValues,
    tolerance: Tolerance,
    *,
    truth: Mapping[str, np.ndarray] | None = None,
) -> Comparison:
    """Return what `compare` returns, from values that are computed here, chunk by chunk, a's before b's.

    Both must yield their values in the order of a's graph. At most one chunk of each is in memory at a time.
    """
    ops, rules, pairs = ops_of(a), rules_of(b), partners(a, b)
    reasons = {name: _why_missing(name, pairs.get(name), values_a, values_b) for name in ops}
    present = {name: pairs[name] for name, reason in reasons.items() if not reason}
    reader_a = ChunkReader(values_a.chunks(present.keys()))
    reader_b = ChunkReader(values_b.chunks(present.values()))
    outputs = {value.name for value in a.graph.output}
    rows: list[Row] = []
    is_wrong = False
    maps: dict[str, np.ndarray | None] = {}
    for name, op in ops.items():
        row: Row = {"value": name, "op": op, "rule": rules.get(pairs.get(name, ""), "")}
        if name in present:
            x, y = reader_a.take(name), reader_b.take(present[name])
            row |= _columns(*compare_arrays(x, y, tolerance)) | _truth_errors(x, y, (truth or {}).get(name))
            if name in outputs or (row["fault"] and not is_wrong):
                maps[name] = error_map(x, y)
            del x, y  # before the next chunk is computed
            is_wrong = is_wrong or bool(row["fault"])
            rows.append(row)
        elif name in outputs:
            is_wrong = True
            rows.append(row | _columns(UNMEASURED, float("nan"), reasons[name]))
    skipped = _skipped(a, b, {name: reason for name, reason in reasons.items() if reason and name not in outputs})
    drawn = {name: image for name, image in maps.items() if image is not None}
    return Comparison(pd.DataFrame(rows, columns=list(COLUMNS)), len(present), skipped, tolerance, drawn)


def compare_arrays(x: np.ndarray, y: np.ndarray, tolerance: Tolerance) -> tuple[Metrics, float, str]:
    """Return the error of `y` against `x`, the largest error allowed, and why the pair fails ("" if it passes)."""
    fault = mismatch(x, y)
    if fault:
        return UNMEASURED, float("nan"), fault
    tolerance = for_type(tolerance, x.dtype, y.dtype)
    peak = value_range(x)
    metrics, limit = measure(x, y, peak=peak), tolerance.limit(peak)
    if np.isnan(metrics.max_abs):
        in_a, in_b = not_finite(x), not_finite(y)
        fault = f"A has {in_a}" if in_a else f"B has {in_b}"
    elif not metrics.max_abs <= limit:
        fault = f"max_abs {metrics.max_abs:.3g} is beyond {limit:.3g} ({tolerance})"
    return metrics, limit, fault


def _why_missing(name: str, partner: str | None, values_a: Container[str], values_b: Container[str]) -> str:
    """Why a value of a cannot be compared; "" if it can."""
    if partner is None:
        return "no partner in B"
    if name not in values_a:
        return "not among the values of A"
    return "" if partner in values_b else "not among the values of B"


def _skipped(a: onnx.ModelProto, b: onnx.ModelProto, reasons: Mapping[str, str]) -> tuple[Skipped, ...]:
    """Return the values of a in `reasons`, then those of b without a partner, and which pair each is part of."""
    pairs = partners(a, b)
    names_in_a = {partner: name for name, partner in pairs.items()}
    owner_in_a = owners(Graph(a), pairs.keys())
    owner_in_b = {name: names_in_a[owner] for name, owner in owners(Graph(b), names_in_a.keys()).items()}
    only_in_b = [name for name in ops_of(b) if name not in names_in_a]
    return (
        *(Skipped(name, reason + _part_of(owner_in_a, name)) for name, reason in reasons.items()),
        *(Skipped(name, "no partner in A" + _part_of(owner_in_b, name)) for name in only_in_b),
    )


def _part_of(owner: Mapping[str, str], name: str) -> str:
    return f" (part of {owner[name]!r})" if name in owner else ""


def _columns(metrics: Metrics, limit: float, fault: str) -> Row:
    errors = {key: getattr(metrics, key) for key in METRICS}
    no_truth = dict.fromkeys(TRUTH_KEYS, float("nan"))
    return errors | {"range": metrics.peak, "limit": limit, "fault": fault, "origin": ""} | no_truth


def _truth_errors(x: np.ndarray, y: np.ndarray, truth: np.ndarray | None) -> Row:
    if truth is None or mismatch(truth, x) or mismatch(truth, y):
        return {}
    peak = value_range(truth)
    return {key: measure(truth, value, peak=peak).max_abs for key, value in zip(TRUTH_KEYS, (x, y), strict=True)}


def _values(count: int) -> str:
    return f"{count} value{'s' * (count != 1)}"
