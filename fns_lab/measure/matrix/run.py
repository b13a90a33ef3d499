"""Run every case in the real engine of every target, in each variant, and record the result."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple, NoReturn

import pandas as pd
from onnx import ModelProto

from fns_lab import targets as known_targets
from fns_lab.errors import InputError, NoAnswer, RuntimeFault
from fns_lab.measure.matrix.cache import ResultCache
from fns_lab.measure.matrix.cases import Case
from fns_lab.measure.matrix.outcome import CaseResult, check_outputs
from fns_lab.measure.matrix.table import COLUMNS, Matrix
from fns_lab.measure.matrix.variants import VARIANTS, Variant
from fns_lab.runtimes import open_runner
from fns_lab.targets import Target

if TYPE_CHECKING:
    from tqdm import tqdm

TIMEOUT_S = 20.0
"""Seconds for one call into an engine. A case takes some milliseconds, a webgl one with many shaders a second."""
SECOND_TIMEOUT_S = 60.0
"""Seconds for one call of the second try, after a crash or a hang."""


class Row(NamedTuple):
    """One row of `Matrix.table`."""

    target: str
    op: str
    case: str
    variant: str
    result: str
    max_abs: float
    supported: bool
    message: str


def measure_cases(
    cases: Sequence[Case], targets: Iterable[Target | str], *, cached: bool = True, progress: bool = True
) -> Matrix:
    """Run every case in every target, in each of `VARIANTS`.

    What was measured before is looked up in `cache.py`'s files unless `cached` is False; what was measured before an
    interruption stays there. Raises `InputError` without a case or target, `MissingError` for an engine that
    is not installed.
    """
    chosen = [known_targets.load(target) if isinstance(target, str) else target for target in targets]
    if not cases or not chosen:
        raise InputError(f"nothing to measure: {len(cases)} cases, {len(chosen)} targets")
    rows: list[Row] = []
    with quiet_inference(), _bar(len(cases) * len(chosen), progress) as bar:
        for target in chosen:
            bar.set_description(target.name)
            rows += _measure_target(cases, target, ResultCache(target) if cached else ResultCache(target, None), bar)
    return Matrix(pd.DataFrame(rows, columns=list(COLUMNS)))


def _measure_target(
    cases: Sequence[Case], target: Target, cache: ResultCache, bar: tqdm[NoReturn] | _NoBar
) -> Iterator[Row]:
    for case in cases:
        for name, variant_of in VARIANTS.items():
            yield Row(target.name, case.op, case.name, name, *_measured(case, variant_of, target, cache))
        bar.update()


def _measured(
    case: Case, variant_of: Callable[[ModelProto, Target], Variant], target: Target, cache: ResultCache
) -> tuple[str, float, bool, str]:
    """Return the last columns of a row: result, max_abs, supported, message."""
    try:
        variant = variant_of(case.model, target)
    except Exception as error:  # a bug in lowering is an error of this case; the other cases still run
        return "error", float("nan"), True, f"lowering broke: {error!r}"
    if variant.model is None:
        return "unsupported", float("nan"), False, variant.reason
    outcome = run_cached(case, variant.model, target, cache)
    if variant.supported:
        return outcome.result, outcome.max_abs, True, outcome.message
    refused = outcome.result == "error"
    return "unsupported" if refused else outcome.result, outcome.max_abs, False, variant.reason


def run_cached(case: Case, model: ModelProto, target: Target, cache: ResultCache) -> CaseResult:
    """Return the result of `model`, a variant of `case`: looked up, or else measured and kept."""
    key = cache.key(model, case.feeds, case.expected, elementwise=case.elementwise)
    outcome = cache.get(key)
    if outcome is None:
        outcome = run_case(case, model, target)
        cache.put(key, outcome)
    return outcome


def run_case(case: Case, model: ModelProto, target: Target) -> CaseResult:
    """Run `model`, a variant of `case`, in the real engine and compare its outputs with the expected ones.

    A crash or a hang is believed only if it happens a second time, with more time to answer.
    """
    first = _attempt(case, model, target, TIMEOUT_S)
    return first if first.answered else _attempt(case, model, target, SECOND_TIMEOUT_S)


def _attempt(case: Case, model: ModelProto, target: Target, timeout_s: float) -> CaseResult:
    try:
        with open_runner(model, target, timeout_s=timeout_s) as runner:
            return check_outputs(case.expected, runner.infer(dict(case.feeds)), elementwise=case.elementwise)
    except (RuntimeFault, InputError) as error:
        message = str(getattr(error, "message", error))
        return CaseResult("error", float("nan"), message, answered=not isinstance(error, NoAnswer))


@contextlib.contextmanager
def quiet_inference() -> Iterator[None]:
    """Silence onnx_ir's warnings: it logs a stack trace for each node test that contradicts onnx's shape inference."""
    logger = logging.getLogger("onnx_ir")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)


def _bar(total: int, shown: bool) -> contextlib.AbstractContextManager[tqdm[NoReturn] | _NoBar]:
    if not shown:
        return contextlib.nullcontext(_NoBar())
    from tqdm import tqdm

    return tqdm(total=total, unit="case", file=sys.stderr, leave=False)


class _NoBar:
    def update(self) -> None: ...

    def set_description(self, text: str) -> None: ...
