"""Two models, value by value: by how much each value differs, and which one differs first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import onnx
import pandas as pd

from fns_lab.compare.graph import Graph
from fns_lab.compare.metrics import UNMEASURED, Metrics, error_map, measure, mismatch, not_finite, value_range
from fns_lab.compare.pairing import ops_of, owners, partners, rules_of
from fns_lab.compare.tolerance import Tolerance, for_type
from fns_lab.tables import json_rows

METRICS = ("max_abs", "mean_abs", "p99_abs", "psnr_db", "max_rel", "max_ulps", "decades")
OPS_KEYS = ("value", "op", "max_abs", "mean_abs", "p99_abs", "psnr_db", "rule", "max_rel", "max_ulps", "decades",
            "fault", "origin")  # fmt: skip
TRUTH_KEYS = ("truth_error_a", "truth_error_b")
COLUMNS = ("value", "op", *METRICS, "rule", "range", "limit", "fault", "origin", *TRUTH_KEYS)


class Skipped(NamedTuple):
    """A value that found no partner, and why."""

    value: str
    reason: str


class Finding(NamedTuple):
    """Nodes that make an error out of true inputs."""

    value: str
    """The value of a that comes out wrong."""
    ops: tuple[str, ...]
    """Op types of the nodes, in order, Constants left out; more than one: a rewrite, or wrong only together."""
    nodes: tuple[str, ...]
    """The first output of each of them in b."""
    source: str
    """"engine": b's engine alone computes them wrong; "rewrite": the engine of a computes the same wrong value."""
    max_abs: float
    limit: float

    def __str__(self) -> str:
        who = {"engine": "in b's engine alone", "rewrite": "in the engine of a too"}[self.source]
        together = "together " if len(self.ops) > 1 else ""
        return f"{self.value!r} introduced by {' + '.join(self.ops)}: {together}wrong on true inputs, {who}"


@dataclass(frozen=True)
class Comparison:
    """What `compare` found. True when everything that should agree was compared and does.

    `table` has one row a pair of values, in the order of model a's graph: `value` (its name in a), `op` (the op type in
    a that computes it), `max_abs`, `mean_abs`, `p99_abs` (in the unit of the value), `psnr_db` (peak: `range`),
    `max_rel` (of the range), `max_ulps`, `decades` (see `Metrics`), `rule` (the rewrite that wrote the node in b, or
    ""), `range` (of a's value and zero), `limit` (what the tolerance allows of `max_abs`), `fault` ("" or why the row
    fails), `origin` ("introduced", "inherited", "unexplained", or "" before `localize`), `truth_error_a` and `truth_error_b` (the
    largest error of each side against the judge, NaN without one). Errors are NaN where there was nothing to subtract.
    """

    table: pd.DataFrame
    compared: int
    skipped: tuple[Skipped, ...]
    tolerance: Tolerance
    maps: Mapping[str, np.ndarray] = field(default_factory=dict)
    """Where in the image the error sits, `(H, W)`, for the graph outputs and the first value that differs."""
    changed_by_instrumentation: Mapping[str, float] = field(default_factory=dict)
    """By how much each side's final answer changed while its inner values were instrumented, as a fraction of its range."""
    findings: tuple[Finding, ...] = ()

    @property
    def first_divergence(self) -> str | None:
        """The first value, in the order of a's graph, that fails; None when none does."""
        faulty = self.table.loc[self.table["fault"] != "", "value"]
        return None if faulty.empty else str(faulty.iloc[0])

    def __bool__(self) -> bool:
        return self.compared > 0 and self.first_divergence is None

    def __str__(self) -> str:
        counts = f"{self.compared} values compared, {len(self.skipped)} skipped"
        return "; ".join([self._verdict(counts), *map(str, self.findings[:1]), *self._warnings(), *self._judgement()])

    def _verdict(self, counts: str) -> str:
        if self.first_divergence is not None:
            row = self.table.set_index("value").loc[self.first_divergence]
            origin = ", ".join(filter(None, (row["op"], row["rule"] and f"rule {row['rule']}")))
            return f"differs: first at {self.first_divergence!r} ({origin}): {row['fault']}; {counts}"
        if not self.compared:
            return f"differs: nothing was compared; {counts}"
        worst = self.table.loc[(self.table["max_abs"] / self.table["limit"]).fillna(0).idxmax()]
        nearest = f"max_abs {worst['max_abs']:.3g} of {worst['limit']:.3g} allowed ({self.tolerance})"
        return f"equal: {counts}; nearest its limit is {worst['value']!r} ({worst['op']}): {nearest}"

    def _warnings(self) -> list[str]:
        return [
            f"watching inner values changed the answer of {side} by {change:.2g} of its range"
            for side, change in self.changed_by_instrumentation.items()
            if change > self.tolerance.fraction
        ]

    def _judgement(self) -> list[str]:
        judged = self.table.dropna(subset=list(TRUTH_KEYS))
        if judged.empty:
            return []
        nearer, farther = (judged[judged[x] < judged[y]] for x, y in (TRUTH_KEYS[::-1], TRUTH_KEYS))
        counts = f"b is nearer the truth than a in {len(nearer)} and farther in {len(farther)} of {len(judged)} values"
        if farther.empty:
            return [counts]
        worst = farther.loc[((farther["truth_error_b"] - farther["truth_error_a"]) / farther["range"]).idxmax()]
        errors = f"{worst['truth_error_b']:.3g} against {worst['truth_error_a']:.3g}"
        return [f"{counts}, most at {worst['value']!r} ({worst['op']}): {errors}"]

    def to_json(self) -> dict:
        """One strict JSON object. `psnr_db` is null for arrays that are equal; with `max_abs` null too, the row has no
        error because a value was missing, had another shape, or held NaN or Inf."""
        judged = TRUTH_KEYS if self.table[list(TRUTH_KEYS)].notna().any(axis=None) else ()
        return {
            "equal": bool(self),
            "compared": self.compared,
            "skipped": len(self.skipped),
            "first_divergence": self.first_divergence,
            "ops": json_rows(self.table, (*OPS_KEYS, *judged)),
            "introduced": [finding._asdict() for finding in self.findings],
            "changed_by_instrumentation": {
                side: change if np.isfinite(change) else None
                for side, change in self.changed_by_instrumentation.items()
            },
        }


def compare(
    a: onnx.ModelProto,
    b: onnx.ModelProto,
    values_a: Mapping[str, np.ndarray],
    values_b: Mapping[str, np.ndarray],
    tolerance: Tolerance,
    *,
    judge: Mapping[str, np.ndarray] | None = None,
) -> Comparison:
    """Compare the values of two models that ran on the same input; a is the reference.

    Values pair up as `fns_lab.compare.pairing.partners` says: by name, graph outputs also by position, layers of two
    exports by their path in the network. A graph output of a that has no partner,
    another shape, a NaN or Inf anywhere, or no pair at all makes the comparison fail; any other value without a
    partner is listed in `skipped`. `judge` holds the true values of a by name, such as those of a run in float64.

    Each value is looked up once, in the order of a's graph, so that the mappings may compute them on the way
    (`fns_lab.compare.values.Values`) and no more than a chunk of each side is in memory.
    """
    ops, rules, pairs = ops_of(a), rules_of(b), partners(a, b)
    outputs = {value.name for value in a.graph.output}
    rows, skipped, maps, compared = [], [], {}, 0
    inside_a = owners(Graph(a), pairs.keys())
    for name, op in ops.items():
        partner = pairs.get(name)
        missing = _missing(name, partner, values_a, values_b)
        if missing and name not in outputs:
            skipped.append(Skipped(name, missing + _inside(inside_a, name)))
            continue
        compared += not missing
        row = {"value": name, "op": op, "rule": rules.get(partner, "")}
        if missing:
            rows.append(row | _numbers(UNMEASURED, float("nan"), missing))
            continue
        x = y = None  # the last ones go before the next are computed
        x, y = values_a[name], values_b[partner]
        rows.append(row | _numbers(*compare_arrays(x, y, tolerance)) | _judged(x, y, (judge or {}).get(name)))
        if name in outputs or (rows[-1]["fault"] and not any(row["fault"] for row in rows[:-1])):
            maps[name] = error_map(x, y)
    maps = {name: found for name, found in maps.items() if found is not None}
    names_in_a = {partner: name for name, partner in pairs.items()}
    inside_b = {name: names_in_a[owner] for name, owner in owners(Graph(b), names_in_a.keys()).items()}
    skipped += [Skipped(name, "only in b" + _inside(inside_b, name)) for name in rules if name not in names_in_a]
    return Comparison(pd.DataFrame(rows, columns=list(COLUMNS)), compared, tuple(skipped), tolerance, maps)


def compare_arrays(x: np.ndarray, y: np.ndarray, tolerance: Tolerance) -> tuple[Metrics, float, str]:
    """Error of `y` against `x`, the largest error allowed, and why the pair fails ("" when it does not)."""
    fault = mismatch(x, y)
    if fault:
        return UNMEASURED, float("nan"), fault
    tolerance = for_type(tolerance, x.dtype, y.dtype)
    peak = value_range(x)
    metrics, limit = measure(x, y, peak=peak), tolerance.limit(peak)
    if np.isnan(metrics.max_abs):
        in_a, in_b = not_finite(x), not_finite(y)
        fault = f"a has {in_a}" if in_a else f"b has {in_b}"
    elif not metrics.max_abs <= limit:
        fault = f"max_abs {metrics.max_abs:.3g} is beyond {limit:.3g} ({tolerance})"
    return metrics, limit, fault


def _missing(name: str, partner: str | None, values_a: Mapping, values_b: Mapping) -> str:
    if partner is None:
        return "only in a"
    if name not in values_a:
        return "not among the values of a"
    return "" if partner in values_b else "not among the values of b"


def _inside(owner: Mapping[str, str], name: str) -> str:
    return f", inside {owner[name]!r}" if name in owner else ""


def _numbers(metrics: Metrics, limit: float, fault: str) -> dict[str, object]:
    found = {key: getattr(metrics, key) for key in METRICS}
    unjudged = dict.fromkeys(TRUTH_KEYS, float("nan"))
    return found | {"range": metrics.peak, "limit": limit, "fault": fault, "origin": ""} | unjudged


def _judged(x: np.ndarray, y: np.ndarray, truth: np.ndarray | None) -> dict[str, float]:
    if truth is None or mismatch(truth, x) or mismatch(truth, y):
        return {}
    peak = value_range(truth)
    return {key: measure(truth, side, peak=peak).max_abs for key, side in zip(TRUTH_KEYS, (x, y), strict=True)}
