"""Run every case in the real engine of every target, in each variant, and say what came out."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence

import pandas as pd

from fns_lab import targets as known_targets
from fns_lab.errors import InputError, RuntimeFault
from fns_lab.measure.matrix.cache import ResultCache
from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.outcome import CaseResult, judge
from fns_lab.measure.matrix.table import COLUMNS, Matrix
from fns_lab.measure.matrix.variants import VARIANTS
from fns_lab.runtimes import open_runner
from fns_lab.targets import Target

TIMEOUT_S = 20.0
"""Of one call into a page. A case takes some milliseconds, a webgl one with many shaders a second."""


def measure_cases(
    cases: Sequence[Case], targets: Iterable[Target | str], *, cached: bool = True, progress: bool = True
) -> Matrix:
    """Every case in every target, in each of `VARIANTS`.

    What was measured before is looked up (see `cache`) unless `cached` is False. Interrupted, what was
    measured so far stays in the cache. Raises `InputError` without a case or target, `MissingError` for an engine that
    is not installed.
    """
    chosen = [known_targets.load(target) if isinstance(target, str) else target for target in targets]
    if not cases or not chosen:
        raise InputError(f"nothing to measure: {len(cases)} cases, {len(chosen)} targets")
    rows = []
    with _quiet_inference(), _bar(len(cases) * len(chosen), progress) as bar:
        for target in chosen:
            bar.set_description(target.name)
            rows += _measure_target(cases, target, ResultCache(target) if cached else ResultCache(target, None), bar)
    return Matrix(pd.DataFrame(rows, columns=list(COLUMNS)))


def _measure_target(cases: Sequence[Case], target: Target, cache: ResultCache, bar) -> Iterator[tuple]:
    for case in cases:
        for name, form_of in VARIANTS.items():
            yield target.name, case.op, case.name, name, *_seen(case, form_of, target, cache)
        bar.update()


def _seen(case: Case, form_of: Callable, target: Target, cache: ResultCache) -> tuple[str, float, bool, str]:
    """The last columns of a row: result, max_abs, supported, message."""
    try:
        variant = form_of(case.model, target)
    except Exception as error:  # a case that lowering stumbles over must not lose the others, nor be passed over
        return "error", float("nan"), True, f"lowering broke: {error!r}"
    if variant.model is None:
        return "unsupported", float("nan"), False, variant.reason
    verdict = _run(case, variant.model, target, cache)
    if variant.supported:
        return verdict.result, verdict.max_abs, True, verdict.message
    refused = verdict.result == "error"
    return "unsupported" if refused else verdict.result, verdict.max_abs, False, variant.reason


def _run(case: Case, model, target: Target, cache: ResultCache) -> CaseResult:
    key = cache.key(model, case.feeds, case.expected)
    verdict = cache.get(key)
    if verdict is None:
        verdict = run_case(case, model, target)
        cache.put(key, verdict)
    return verdict


def run_case(case: Case, model, target: Target) -> CaseResult:
    """`model`, a variant of `case`, in the real engine."""
    try:
        with open_runner(model, target, timeout_s=TIMEOUT_S) as runner:
            return judge(case.expected, runner.infer(case.feeds))
    except (RuntimeFault, InputError) as error:
        return CaseResult("error", float("nan"), str(getattr(error, "message", error)))


@contextlib.contextmanager
def _quiet_inference() -> Iterator[None]:
    """Some node tests contradict onnx's shape inference; onnx_ir warns of each with a stack trace and goes on."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bar(total: int, shown: bool):
    if not shown:
        return contextlib.nullcontext(_NoBar())
    from tqdm import tqdm

    return tqdm(total=total, unit="case", file=sys.stderr, leave=False)


class _NoBar:
    def update(self) -> None: ...

    def set_description(self, text: str) -> None: ...
