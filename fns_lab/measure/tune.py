"""`tune`: of the equivalent alternatives of each part of a model, take the one that is fastest in the real engine.

`lower` rewrites what a target lacks and what its TOML prefers. `tune` tries every rule that holds at every site
(`fns_lab.rewrite.sites`) as a model of its own at the shapes that the site has, interleaved; a alternative that gives other
numbers than ONNX Runtime is out, however fast. What a alternative writes can hold sites in turn: these are settled first.
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
from fns_lab.files import atomic_write
from fns_lab.measure.bench import Feeds, bench, device_name, random_feeds
from fns_lab.paths import CACHE
from fns_lab.rewrite.lower import Lowering, lower
from fns_lab.rewrite.sites import KEEP, Site
from fns_lab.runtimes import engine_name, run_in
from fns_lab.tables import json_rows
from fns_lab.targets import Target

REFERENCE = "ort/cpu"
FIRST_LOOK = 3
"""Runs of each alternative, after one that is not counted, before the slow ones are left behind."""
OUTRUN = 1.6
"""A alternative that takes this many times as long as the fastest at first look is not looked at again."""
EVEN = 0.05
"""Forms within this fraction of the fastest count as equally fast; of these the one with the fewest nodes is taken."""
TRIED = ("site", "places", "alternative", "nodes", "ms", "ratio", "max_abs", "right", "chosen", "fault")


@dataclass(frozen=True)
class Candidate:
    """One alternative of one site in the engine: its time, and its largest error against ONNX Runtime.

    `ms` is the tenth percentile of the runs: other programs only ever add to a time.
    """

    alternative: str
    nodes: int
    ms: float
    max_abs: float
    right: bool
    fault: str = ""


@dataclass(frozen=True)
class Tuning:
    """What `tune` made. True when `model` runs in the target and gives there what ONNX Runtime makes of the original.

    `tried` has one row a alternative and site: `ms`, `ratio` to the alternative `keep` (to the first one where the target lacks
    that), `max_abs` against ONNX Runtime, whether that is `right`, and the one that was `chosen`. `whole` has the model
    as lowered and as tuned, timed in turns; `model` is the faster one that is right.
    """

    lowering: Lowering
    tried: pd.DataFrame
    whole: pd.DataFrame
    chosen: str
    """"tuned", "lowered", or "" when neither is right."""

    @property
    def model(self) -> onnx.ModelProto:
        return self.lowering.model

    def __bool__(self) -> bool:
        return bool(self.lowering) and bool(self.chosen)

    def __str__(self) -> str:
        if not self.lowering:
            return str(self.lowering)
        rows = self.whole.set_index("model")
        if not self.chosen:
            return f"{self.lowering.target}: no alternative of the model is right there: {rows['fault'].iloc[-1]}"
        text = f"{self.lowering}; {rows.ms[self.chosen]:.4g} ms"
        if len(rows) > 1:
            text += f", {rows.ms['lowered'] / rows.ms[self.chosen]:.2f} times as fast as lowered"
        return f"{text}; {len(self.tried)} alternatives of {self.tried.site.nunique()} sites tried"

    def to_json(self) -> dict:
        """The object that `fns-lab tune --json` prints: that of `lower`, and what was measured."""
        return self.lowering.to_json() | {
            "right": bool(self),
            "chosen": self.chosen or None,
            "tried": json_rows(self.tried, TRIED),
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
    """Lower `model` for `target` with the fastest right alternative of each site; `runs` timed runs a alternative.

    `feeds` are for the whole model at the end; without them it gets noise. Races that were run before, in this engine
    and version and on this device, are read from `cache`. Raises what `lower`, `bench` and the runners raise.
    """
    tuner = _Tuner(target, runs, allow_approximate, cache)
    tuned = tuner.settle(model, shapes)
    plain = lower(model, target, shapes=shapes, allow_approximate=allow_approximate)
    contenders = {name: low for name, low in (("lowered", plain), ("tuned", tuned)) if low}
    whole, chosen = pd.DataFrame(columns=["model", "nodes", "ms", "max_abs", "right", "fault"]), ""
    if contenders:
        feeds = feeds or random_feeds(plain.model)
        trials = _measured(model, {name: low.model for name, low in contenders.items()}, target, feeds, runs, None)
        whole = pd.DataFrame([_whole_row(trial) for trial in trials])
        chosen = min(
            (t for t in trials if t.right), key=lambda t: t.ms, default=Candidate("", 0, 0, 0, False)
        ).alternative
    tried = pd.DataFrame(tuner.rows, columns=list(TRIED))
    return Tuning(contenders.get(chosen, tuned), tried, whole, chosen)


@dataclass
class _Tuner:
    """The choices so far, and the table of how they were made."""

    target: Target
    runs: int
    allow_approximate: bool
    cache: Path
    choices: dict[str, str] = field(default_factory=dict)
    rows: list[dict] = field(default_factory=list)

    def settle(self, model: onnx.ModelProto, shapes: Mapping[str, Sequence[int]] | None = None) -> Lowering:
        """Lower `model` with a choice made for every site that is met on the way."""
        while True:
            lowering = lower(
                model,
                self.target,
                shapes=shapes,
                allow_approximate=self.allow_approximate,
                choices=self.choices,
                list_sites=True,
            )
            unsettled = [site for site in lowering.sites if site.key not in self.choices]
            if not unsettled:
                return lowering
            for site in unsettled:
                if site.key not in self.choices:
                    self.choices[site.key] = self.best(site)

    def best(self, site: Site) -> str:
        """The alternative to take. Where only one runs, or none is right, there is nothing to choose: `lower`'s own way."""
        contenders = dict(self._written(site))
        if len(contenders) < 2:
            return next(iter(contenders), KEEP)
        trials = self._cached(site, contenders)
        right = [trial for trial in trials if trial.right]
        fastest = min((trial.ms for trial in right), default=math.inf)
        even = [trial for trial in right if trial.ms <= fastest * (1 + EVEN)]
        chosen = min(even, key=lambda trial: trial.nodes).alternative if even else next(iter(contenders))
        first = trials[0].ms
        self.rows += [
            {"site": site.label, "places": len(site.places), "chosen": t.alternative == chosen, "ratio": t.ms / first}
            | asdict(t)
            for t in trials
        ]
        return chosen

    def _written(self, site: Site) -> Iterator[tuple[str, onnx.ModelProto]]:
        """Each alternative that the target takes, with what it holds in turn settled."""
        for alternative in (KEEP, *site.alternatives):
            self.choices[site.key] = alternative
            lowering = self.settle(site.model)
            if lowering:
                yield alternative, lowering.model
        del self.choices[site.key]

    def _cached(self, site: Site, contenders: Mapping[str, onnx.ModelProto]) -> list[Candidate]:
        what = [engine_name(self.target), self.target.name, dict(self.target.settings), device_name(), self.runs]
        what += [site.key, {alternative: _structure(model) for alternative, model in contenders.items()}]
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:32]
        path = self.cache / self.target.name.replace("/", "-") / f"{digest}.json"
        if path.is_file():
            return [Candidate(**row) for row in json.loads(path.read_text(encoding="utf-8"))["trials"]]
        print(f"{self.target}: {site.label}, {len(contenders)} alternatives", file=sys.stderr)
        feeds = random_feeds(site.model)
        trials = _raced(site.model, contenders, self.target, feeds, self.runs)
        path.parent.mkdir(parents=True, exist_ok=True)
        with atomic_write(path) as temporary:
            found = {"site": site.label, "trials": [asdict(trial) for trial in trials]}
            temporary.write_text(json.dumps(found, indent=1), encoding="utf-8")
        return trials


def _raced(
    original: onnx.ModelProto, contenders: Mapping[str, onnx.ModelProto], target: Target, feeds: Feeds, runs: int
) -> list[Candidate]:
    """All at a first look, then those that are right and near the fastest for `runs` runs."""
    look = _measured(original, contenders, target, feeds, FIRST_LOOK, 1)
    fastest = min((trial.ms for trial in look if trial.right), default=math.inf)
    near = [trial.alternative for trial in look if trial.right and trial.ms <= fastest * OUTRUN]
    if len(near) < 2:
        return look
    again = _measured(
        original, {alternative: contenders[alternative] for alternative in near}, target, feeds, runs, None
    )
    by_alternative = {trial.alternative: trial for trial in (*look, *again)}
    return [by_alternative[alternative] for alternative in contenders]


def _measured(
    original: onnx.ModelProto,
    contenders: Mapping[str, onnx.ModelProto],
    target: Target,
    feeds: Feeds,
    runs: int,
    warmup: int | None,
) -> list[Candidate]:
    """Time the contenders in turns, and hold what they give against ONNX Runtime on the original."""
    expected = run_in(REFERENCE)(original, feeds)
    timings = bench(contenders, [target], feeds, runs=runs, warmup=warmup)
    tolerance = tolerance_between(REFERENCE, target.name)
    trials = []
    for row in timings.table.itertuples():
        error, reason = _error(expected, timings.outputs[row.model, target.name], tolerance)
        trials.append(
            Candidate(
                alternative=row.model,
                nodes=len(contenders[row.model].graph.node),
                ms=row.ms_p10,
                max_abs=error,
                right=not (row.fault or reason),
                fault=row.fault or reason,
            )
        )
    return trials


def _error(expected: Feeds, found: Feeds, tolerance: Tolerance) -> tuple[float, str]:
    """The largest error of any output, and why it is too large; empty if it is not."""
    worst, reason = 0.0, ""
    for name, reference in expected.items():
        if name not in found or found[name].shape != reference.shape:
            return math.nan, f"gives no {name} of shape {reference.shape}"
        error = measure(reference, found[name], peak=value_range(reference)).max_abs
        if not error <= tolerance.limit(value_range(reference)):
            reason = f"{name} is off by {error:.3g} in a range of {value_range(reference):.3g}"
        worst = max(worst, error)
    return worst, reason


def _whole_row(trial: Candidate) -> dict:
    row = asdict(trial)
    return {"model": row.pop("alternative")} | row


def _structure(model: onnx.ModelProto) -> str:
    """A digest of a model without the values of its weights, which no time depends on."""
    bare = onnx.ModelProto()
    bare.CopyFrom(model)
    for tensor in bare.graph.initializer:
        if tensor.data_type == onnx.TensorProto.FLOAT and np.prod(tensor.dims) > 1:
            tensor.ClearField("raw_data")
            tensor.ClearField("float_data")
    return hashlib.sha256(bare.SerializeToString(deterministic=True)).hexdigest()
