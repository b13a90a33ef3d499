"""Times of models in real engines: warmed up, interleaved, with spread; loading and first run are timed apart."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NoReturn

import numpy as np
import pandas as pd
from onnx import ModelProto

from fns_lab import models as onnx_models
from fns_lab import targets as known_targets
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.feeds import fit_feeds
from fns_lab.measure.machine import device_name
from fns_lab.runtimes import Runner, engine_name, open_runner
from fns_lab.runtimes.refused_sizes import as_input_error
from fns_lab.tables import json_rows
from fns_lab.targets import Target

if TYPE_CHECKING:
    from tqdm import tqdm

Feeds = Mapping[str, np.ndarray]
"""Arrays by the name of the input that they are for."""

PROGRESS_AFTER_S = 2.0
"""Seconds of silence before a progress bar appears on stderr."""

FREE_SIZE_PX = 256
"""Height and width of noise where the model does not fix them."""
ROWS_KEYS = ("model", "target", "ms_median", "ms_p10", "ms_p90", "runs", "ratio")
"""Keys of an entry of `rows` in `bench --json`."""
COLUMNS = (*ROWS_KEYS, "ms_create", "ms_first", "warmup", "engine", "fault")
"""Columns of `Timings.table`."""
EVERY_RUN_COLUMNS = ("target", "model", "run", "counted", "ms")
"""Columns of `Timings.every_run`."""


@dataclass(frozen=True)
class Timings:
    """The result of `bench`. True when every model ran in every target.

    `table` has one row per model and target; times are in milliseconds inside the engine:

    - `model`, `target`: the model's label and the target's name
    - `ms_median`, `ms_p10`, `ms_p90`: median, tenth and ninetieth percentile of the timed runs
    - `runs`: timed runs; 0 where the engine failed
    - `ratio`: the median over that of the first model in the same target; 0.5 is half the time
    - `ms_create`: loading the model
    - `ms_first`: the first run
    - `warmup`: runs before the timed ones, the first among them
    - `engine`: the engine with its version
    - `fault`: the engine's message, in which case the times are NaN; empty where it ran

    `outputs` holds each model's graph outputs of the last run, by (model, target), so that an error can stand beside
    each time. `shapes` are those of the feeds, `device` is the machine. `every_run` has one row per run, those of the
    warm-up too: `target`, `model`, `run` (from 1), `counted` (False for the warm-up), `ms`.
    """

    table: pd.DataFrame
    shapes: Mapping[str, tuple[int, ...]]
    device: str
    outputs: Mapping[tuple[str, str], Mapping[str, np.ndarray]] = field(repr=False)
    every_run: pd.DataFrame = field(repr=False)

    def __bool__(self) -> bool:
        return not self.table.empty and bool((self.table["fault"] == "").all())

    def __str__(self) -> str:
        if self.table.empty:
            return "nothing was timed"
        return "; ".join(_sentence(str(target), rows) for target, rows in self.table.groupby("target", sort=False))

    def methods(self) -> str:
        """Return how the times were measured, in two sentences for a write-up."""
        if self.table.empty:
            return ""
        engines = dict(zip(self.table.target, self.table.engine, strict=True))
        warmup = " and ".join(str(count) for count in dict.fromkeys(self.table.warmup))
        shapes = ", ".join(f"{name} {'x'.join(map(str, shape))}" for name, shape in self.shapes.items())
        return (
            f"{_count(self.table.model.nunique(), 'model')} ran on {shapes} in "
            f"{', '.join(f'{target} ({engine})' for target, engine in engines.items())}: {warmup} warm-up runs, then "
            f"{_count(int(self.table.runs.max()), 'counted run')} of each, in turns, so that a slow moment slows all. "
            "A time is that inside the engine; the figures are the median and the tenth and ninetieth percentile."
        )

    def to_json(self) -> dict[str, object]:
        """Return the object that `fns-lab bench --json` prints; the times of a model that failed are null."""
        return {
            "device": self.device,
            "inputs": {name: list(shape) for name, shape in self.shapes.items()},
            "rows": json_rows(self.table, COLUMNS),
        }


def bench(
    models: Mapping[str, ModelProto],
    targets: Sequence[Target | str],
    feeds: Feeds,
    *,
    runs: int,
    warmup: int | None = None,
) -> Timings:
    """Time every model, by label, in every target on the same input.

    In each target all models are loaded first, then run in turns. Each round starts with another model, so that a
    machine that slows down slows them all. `warmup` runs are not counted (None: as many as the engine needs). A model
    whose inputs have other names than `feeds` takes them by position. A model that an engine refuses has a row with the
    engine's message. Raises `InputError` for nothing to time, an input of another shape and sizes that no engine takes,
    `MissingError` for an engine that is not installed.
    """
    chosen = [known_targets.load(target) if isinstance(target, str) else target for target in targets]
    if not models or not chosen or runs < 1 or (warmup is not None and warmup < 1):
        raise InputError(
            f"nothing to time: {len(models)} models, {len(chosen)} targets, {runs} runs, {warmup} warm-up runs;"
            " each must be at least one (the first run is never counted)"
        )
    fitted = {label: _fit(label, model, feeds) for label, model in models.items()}
    rounds = {target.name: (warmup or target.warmup_runs) + runs for target in chosen}
    rows: list[dict[str, object]] = []
    outputs: dict[tuple[str, str], Feeds] = {}
    every_run: list[tuple[str, str, int, bool, float]] = []
    with _progress(len(models) * sum(rounds.values())) as progress:
        for target in chosen:
            contenders = [_Contender(label, model, fitted[label]) for label, model in models.items()]
            _run_in_turns(contenders, target, rounds[target.name], progress)
            rows += _rows(contenders, target, runs, rounds[target.name] - runs)
            outputs |= {(contender.label, target.name): contender.outputs for contender in contenders}
            every_run += _every_run(contenders, target, rounds[target.name] - runs)
    shapes = {name: np.shape(x) for name, x in feeds.items()}
    return Timings(
        table=pd.DataFrame(rows, columns=list(COLUMNS)),
        shapes=shapes,
        device=device_name(),
        outputs=outputs,
        every_run=pd.DataFrame(every_run, columns=list(EVERY_RUN_COLUMNS)),
    )


def random_feeds(model: ModelProto, *, seed: int = 0, size_px: int = FREE_SIZE_PX) -> dict[str, np.ndarray]:
    """Return smooth noise like a photograph, float32, 0..255, for each input of `model`.

    A free dimension becomes `size_px`, a free first one 1. The same seed gives the same input. Raises `InputError` for
    an input whose rank is not known.
    """
    rng = np.random.default_rng(seed)
    feeds = {}
    for name, shape in onnx_models.input_shapes(model).items():
        if shape == onnx_models.UNKNOWN_RANK:
            raise InputError(f"input {name!r} has no known rank; give the input as a file")
        free = [1, *[size_px] * len(shape)]
        feeds[name] = _smooth(rng, tuple(n if isinstance(n, int) else free[i] for i, n in enumerate(shape)))
    return feeds


def time_text(row: pd.Series) -> str:
    """Return the median of a row of `Timings.table` as text: `2104 ms`, `7.41 ms`, or `failed`."""
    ms = row["ms_median"]
    return "failed" if row["fault"] else f"{ms:.0f} ms" if ms >= 100 else f"{ms:.3g} ms"


@dataclass
class _Contender:
    """A model in one target, and its times so far."""

    label: str
    model: ModelProto
    feeds: Feeds
    runner: Runner | None = None
    times_ms: list[float] = field(default_factory=list)
    outputs: Mapping[str, np.ndarray] = field(default_factory=dict)
    fault: str = ""

    def open(self, target: Target, stack: ExitStack) -> None:
        try:
            self.runner = stack.enter_context(open_runner(self.model, target))
        except RuntimeFault as error:
            self.fault = str(error)

    def run(self) -> None:
        if self.fault or self.runner is None:
            return
        try:
            with as_input_error(self.model, self.feeds):
                self.outputs = self.runner.infer(dict(self.feeds))
            self.times_ms.append(self.runner.ms)
        except RuntimeFault as error:
            self.fault = str(error)
            self.outputs = {}

    def quantile_ms(self, percent: float, runs: int) -> float:
        """Return a percentile of the last `runs` runs; NaN for a model that failed."""
        return float("nan") if self.fault else float(np.percentile(self.times_ms[-runs:], percent))


def _run_in_turns(contenders: Sequence[_Contender], target: Target, rounds: int, progress: tqdm[NoReturn]) -> None:
    progress.set_description(target.name, refresh=False)
    with ExitStack() as stack:
        for contender in contenders:
            contender.open(target, stack)
        for turn in range(rounds):
            for i in range(len(contenders)):
                contenders[(turn + i) % len(contenders)].run()
                progress.update()


def _rows(contenders: Sequence[_Contender], target: Target, runs: int, warmup: int) -> list[dict[str, object]]:
    engine = engine_name(target)
    first_ms = contenders[0].quantile_ms(50, runs)
    return [
        {
            "model": contender.label,
            "target": target.name,
            "ms_median": contender.quantile_ms(50, runs),
            "ms_p10": contender.quantile_ms(10, runs),
            "ms_p90": contender.quantile_ms(90, runs),
            "runs": 0 if contender.fault else runs,
            "ratio": contender.quantile_ms(50, runs) / first_ms,
            "ms_create": contender.runner.create_ms if contender.runner else np.nan,
            "ms_first": contender.times_ms[0] if contender.times_ms else np.nan,
            "warmup": warmup,
            "engine": engine,
            "fault": contender.fault,
        }
        for contender in contenders
    ]


def _every_run(
    contenders: Sequence[_Contender], target: Target, warmup: int
) -> list[tuple[str, str, int, bool, float]]:
    return [
        (target.name, contender.label, run, run > warmup, ms)
        for contender in contenders
        for run, ms in enumerate(contender.times_ms, 1)
    ]


def _fit(label: str, model: ModelProto, feeds: Feeds) -> Feeds:
    """Return `feeds` under the names of this model's inputs; an `InputError` names the model."""
    try:
        return fit_feeds(model, feeds, by_position=True)
    except InputError as error:
        raise InputError(f"{label}: {error}") from None


def _smooth(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    """Return noise averaged with its neighbours along the last two axes, scaled to 0..255."""
    x = rng.uniform(0, 1, shape)
    for axis in range(max(0, len(shape) - 2), len(shape)):
        x = x + np.roll(x, 1, axis) + np.roll(x, 2, axis)
    low, high = x.min(), x.max()
    scaled: np.ndarray = 255 * (x - low) / max(high - low, np.finfo(float).tiny)
    return scaled.astype(np.float32)


def _sentence(target: str, rows: pd.DataFrame) -> str:
    first = rows.iloc[0]
    parts = [f"{first['model']} {time_text(first)}"]
    for _, row in rows.iloc[1:].iterrows():
        beyond = are_apart(first["ms_p10"], first["ms_p90"], row["ms_p10"], row["ms_p90"])
        spread = "" if beyond else ", within the spread"
        speed = "" if np.isnan(row["ratio"]) else f" ({1 / row['ratio']:.2f} times as fast{spread})"
        parts.append(f"{row['model']} {time_text(row)}{speed}")
    return f"{target}: {', '.join(parts)}"


def are_apart(low_a: float, high_a: float, low_b: float, high_b: float) -> bool:
    """Return whether two times differ beyond their spread: their ranges, p10 to p90, have nothing in common."""
    return bool(low_a > high_b or low_b > high_a)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"


def _progress(total: int) -> tqdm[NoReturn]:
    from tqdm import tqdm

    return tqdm(total=total, unit="run", delay=PROGRESS_AFTER_S, file=sys.stderr, leave=False)
