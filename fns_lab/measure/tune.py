"""`tune`: for each site of a model, take the alternative that is fastest in the real engine.

`lower` rewrites what a target does not support and what its TOML prefers. `tune` tries every rule that applies at each
site (`fns_lab.rewrite.sites`). Each alternative runs as a model of its own, at the shapes of the site, interleaved with
the others; one whose result differs from ONNX Runtime's is dropped, however fast. What an alternative writes can have
sites of its own: these are chosen first.
"""

from __future__ import annotations

import hashlib
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import onnx
import pandas as pd

from fns_lab.compare import Tolerance, measure, tolerance_between, value_range
from fns_lab.files import write_text
from fns_lab.measure.bench import Feeds, bench, random_feeds
from fns_lab.measure.machine import device_name
from fns_lab.paths import CACHE
from fns_lab.rewrite.lower import Lowering, lower
from fns_lab.rewrite.sites import KEEP, Site
from fns_lab.runtimes import engine_name, run_in
from fns_lab.tables import json_rows
from fns_lab.targets import Target

REFERENCE = "ort/cpu"
"""The target whose results count as right."""
FIRST_ROUND_RUNS = 3
"""Timed runs of each alternative, after one warm-up run, before the slow ones are dropped."""
DROPPED_FROM = 1.6
"""An alternative that takes this many times as long as the fastest in the first round is not timed again."""
EQUALLY_FAST = 0.05
"""Alternatives this near the fastest, as a fraction, count as equally fast; the one with fewest nodes is taken."""
TRIED_COLUMNS = ("site", "places", "alternative", "nodes", "ms", "ratio", "max_abs", "right", "chosen", "fault")
"""Columns of `Tuning.tried`."""


@dataclass(frozen=True)
class Candidate:
    """One alternative of one site, measured in the engine.

    - `alternative`: the rule's name, or `keep`
    - `nodes`: nodes of the model that it writes
    - `ms`: tenth percentile of the timed runs in milliseconds, since other programs can only make a run slower
    - `max_abs`: largest absolute error of any output against ONNX Runtime, in the unit of the output
    - `right`: whether every output is within the tolerance
    - `fault`: why it is not right, or the engine's message; empty where it is
    """

    alternative: str
    nodes: int
    ms: float
    max_abs: float
    right: bool
    fault: str = ""


@dataclass(frozen=True)
class Tuning:
    """The result of `tune`. True when `model` runs in the target and gives the outputs that ONNX Runtime gives.

    `tried` has one row per site and alternative:

    - `site`: op types and shapes of the site
    - `places`: how many times the site occurs in the model
    - `alternative`, `nodes`, `ms`, `max_abs`, `right`, `fault`: see `Candidate`
    - `ratio`: `ms` over that of the first row of the site (`keep`, where the target supports it); 0.5 is half the time
    - `chosen`: whether this alternative was taken

    `whole` has one row for the whole model `lowered` and one for it `tuned`, timed in turns, with the columns of
    `Candidate` and `model` in place of `alternative`. `model` is the faster of those that are right.
    """

    lowering: Lowering
    tried: pd.DataFrame
    whole: pd.DataFrame
    chosen: str
    """"tuned", "lowered", or "" when neither is right."""

    @property
    def model(self) -> onnx.ModelProto:
        """The fastest model that is right; where none is, the tuned one."""
        return self.lowering.model

    def __bool__(self) -> bool:
        return bool(self.lowering) and bool(self.chosen)

    def __str__(self) -> str:
        if not self.lowering:
            return str(self.lowering)
        rows = self.whole.set_index("model")
        if not self.chosen:
            return f"{self.lowering.target}: neither the lowered nor the tuned model is right: {rows['fault'].iloc[-1]}"
        text = f"{self.lowering}; {rows.ms[self.chosen]:.4g} ms"
        if len(rows) > 1:
            text += f", {rows.ms['lowered'] / rows.ms[self.chosen]:.2f} times as fast as lowered"
        return f"{text}; {len(self.tried)} alternatives of {self.tried.site.nunique()} sites tried"

    def methods(self) -> str:
        """Return how the model was tuned, in one sentence for a write-up."""
        return (
            f"For {self.lowering.target}, {len(self.tried)} alternatives of {self.tried.site.nunique()} sites were "
            f"timed in turns (tenth percentile of the runs); those with other outputs than {REFERENCE} were dropped."
        )

    def to_json(self) -> dict[str, object]:
        """Return the object that `fns-lab tune --json` prints: that of `lower`, and what was measured."""
        return self.lowering.to_json() | {
            "right": bool(self),
            "chosen": self.chosen or None,
            "tried": json_rows(self.tried, TRIED_COLUMNS),
            "whole": json_rows(self.whole, list(self.whole.columns)),
        }


def tune(
    model: onnx.ModelProto,
    target: Target,
    *,
    shapes: Mapping[str, Sequence[int]] | None = None,
    allow_approximate: bool = False,
    feeds: Feeds | None = None,
    runs: int = 5,
    cache: Path = CACHE / "tune",
) -> Tuning:
    """Lower `model` for `target` with the fastest right alternative of each site.

    `runs`: timed runs of each alternative. `feeds`: inputs of the whole model, which is timed last; noise if None. What
    was measured before, with the same engine, version and device, is read from `cache`. Raises what `lower`, `bench`
    and the runners raise.
    """
    tuner = _Tuner(target, runs, allow_approximate, cache)
    tuned = tuner.lower(model, shapes)
    plain = lower(model, target, shapes=shapes, allow_approximate=allow_approximate)
    lowerings = {name: low for name, low in (("lowered", plain), ("tuned", tuned)) if low}
    whole, chosen = pd.DataFrame(columns=["model", "nodes", "ms", "max_abs", "right", "fault"]), ""
    if lowerings:
        feeds = feeds or random_feeds(plain.model)
        measured = _measure(model, {name: low.model for name, low in lowerings.items()}, target, feeds, runs, None)
        whole = pd.DataFrame([_whole_row(candidate) for candidate in measured])
        fastest = min((c for c in measured if c.right), key=lambda c: c.ms, default=None)
        chosen = fastest.alternative if fastest else ""
    tried = pd.DataFrame(tuner.rows, columns=list(TRIED_COLUMNS))
    return Tuning(lowerings.get(chosen, tuned), tried, whole, chosen)


@dataclass
class _Tuner:
    """The choices so far, and the rows that say how they were made."""

    target: Target
    runs: int
    allow_approximate: bool
    cache: Path
    choices: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, object]] = field(default_factory=list)

    def lower(self, model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]] | None = None) -> Lowering:
        """Lower `model`, and choose an alternative for every site that is met."""
        while True:
            lowering = lower(
                model,
                self.target,
                shapes=shapes,
                allow_approximate=self.allow_approximate,
                choices=self.choices,
                list_sites=True,
            )
            open_sites = [site for site in lowering.sites if site.key not in self.choices]
            if not open_sites:
                return lowering
            for site in open_sites:
                if site.key not in self.choices:
                    self.choices[site.key] = self.choose(site)

    def choose(self, site: Site) -> str:
        """Return the alternative to take; `lower`'s own where only one runs or none is right."""
        models = dict(self._written(site))
        if len(models) < 2:
            return next(iter(models), KEEP)
        candidates = self._cached(site, models)
        right = [candidate for candidate in candidates if candidate.right]
        fastest_ms = min((candidate.ms for candidate in right), default=math.inf)
        equal = [candidate for candidate in right if candidate.ms <= fastest_ms * (1 + EQUALLY_FAST)]
        chosen = min(equal, key=lambda c: c.nodes).alternative if equal else next(iter(models))
        first_ms = candidates[0].ms
        self.rows += [
            {"site": site.label, "places": len(site.places)}
            | asdict(c)
            | {"ratio": c.ms / first_ms, "chosen": c.alternative == chosen}
            for c in candidates
        ]
        return chosen

    def _written(self, site: Site) -> Iterator[tuple[str, onnx.ModelProto]]:
        """Yield each alternative that the target supports, as a model whose own sites are chosen."""
        for alternative in (KEEP, *site.alternatives):
            self.choices[site.key] = alternative
            lowering = self.lower(site.model)
            if lowering:
                yield alternative, lowering.model
        del self.choices[site.key]

    def _cached(self, site: Site, models: Mapping[str, onnx.ModelProto]) -> list[Candidate]:
        what: list[object] = [list(Candidate.__annotations__), self.runs, device_name()]
        what += [engine_name(self.target), self.target.name, dict(self.target.settings)]
        what += [site.key, {alternative: _structure(model) for alternative, model in models.items()}]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
        path = self.cache / self.target.name.replace("/", "-") / f"{digest}.json"
        if path.is_file():
            return [Candidate(**row) for row in json.loads(path.read_text(encoding="utf-8"))["candidates"]]
        print(f"{self.target}: {site.label}, {len(models)} alternatives", file=sys.stderr)
        candidates = _measure_in_rounds(site.model, models, self.target, random_feeds(site.model), self.runs)
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {"site": site.label, "candidates": [asdict(candidate) for candidate in candidates]}
        write_text(path, json.dumps(content, indent=1))
        return candidates


def _measure_in_rounds(
    original: onnx.ModelProto, models: Mapping[str, onnx.ModelProto], target: Target, feeds: Feeds, runs: int
) -> list[Candidate]:
    """Measure all in a short first round, then those that are right and near the fastest for `runs` runs."""
    first = _measure(original, models, target, feeds, FIRST_ROUND_RUNS, 1)
    fastest_ms = min((candidate.ms for candidate in first if candidate.right), default=math.inf)
    near = [c.alternative for c in first if c.right and c.ms <= fastest_ms * DROPPED_FROM]
    if len(near) < 2:
        return first
    second = _measure(original, {name: models[name] for name in near}, target, feeds, runs, None)
    by_alternative = {candidate.alternative: candidate for candidate in (*first, *second)}
    return [by_alternative[alternative] for alternative in models]


def _measure(
    original: onnx.ModelProto,
    models: Mapping[str, onnx.ModelProto],
    target: Target,
    feeds: Feeds,
    runs: int,
    warmup: int | None,
) -> list[Candidate]:
    """Time the models in turns, and compare their outputs with those of ONNX Runtime on the original."""
    expected = run_in(REFERENCE)(original, feeds)
    timings = bench(models, [target], feeds, runs=runs, warmup=warmup)
    tolerance = tolerance_between(REFERENCE, target.name)
    candidates = []
    for label, ms, fault in timings.table[["model", "ms_p10", "fault"]].itertuples(index=False):
        error, reason = _error(expected, timings.outputs[label, target.name], tolerance)
        nodes = len(models[label].graph.node)
        candidates.append(Candidate(label, nodes, ms, error, not (fault or reason), fault or reason))
    return candidates


def _error(expected: Feeds, outputs: Feeds, tolerance: Tolerance) -> tuple[float, str]:
    """Return the largest error of any output, and why it is too large; an empty string if it is not."""
    worst, reason = 0.0, ""
    for name, reference in expected.items():
        if name not in outputs or outputs[name].shape != reference.shape:
            return math.nan, f"gives no {name} of shape {reference.shape}"
        error = measure(reference, outputs[name], peak=value_range(reference)).max_abs
        if not error <= tolerance.limit(value_range(reference)):
            reason = f"{name} is off by {error:.3g} in a range of {value_range(reference):.3g}"
        worst = max(worst, error)
    return worst, reason


def _whole_row(candidate: Candidate) -> dict[str, object]:
    row = asdict(candidate)
    return {"model": row.pop("alternative")} | row


def _structure(model: onnx.ModelProto) -> str:
    """Return a digest of a model without the values of its weights, on which no time depends."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for tensor in bare.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) > 1:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()
