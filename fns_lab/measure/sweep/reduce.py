"""Faults of an op: a broken sample made as simple as it stays broken, and the axis values that matter for it."""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from fns_lab.measure.sweep.pairwise import Row
from fns_lab.measure.sweep.run import Result, SweptTarget
from fns_lab.measure.sweep.samples import Sample, axes_of, make_sample

Condition = Mapping[str, tuple[Hashable, ...]]
"""By axis, the values at which a fault shows; an axis whose every value shows it is left out."""

MOST_FAULTS = 4
"""Faults of one op that are reduced; an op with more is best looked at once these are known."""
MESSAGE_WORDS = 12
"""Words at the start of two messages that are the same if they are about the same error."""


class Trial(NamedTuple):
    """A sample with its results, one per variant."""

    sample: Sample
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Fault:
    """A fault of an op, reduced.

    - `variant`, `result`: of the broken samples: native or lowered, wrong or error
    - `condition`: the axis values that matter
    - `sample`, `message`: the smallest sample that shows it, and what is wrong there
    - `cause`: the source of the error, if the sample is broken only once it is lowered
    - `broken`, `right`: how many drawn samples match the condition and are broken, or right nevertheless
    """

    op: str
    variant: str
    result: str
    condition: Condition
    sample: Sample
    message: str
    cause: str = ""
    broken: int = 0
    right: int = 0


def faults_of(op: str, trials: Sequence[Trial], swept: SweptTarget, seed: int) -> list[Fault]:
    """Return the faults that the broken samples among `trials` show, wrong ones first, at most `MOST_FAULTS`."""
    faults: list[Fault] = []
    probe = _Probe(op, swept, seed)
    broken = [(sample, result) for sample, results in trials for result in results if result.broken]
    for sample, result in sorted(broken, key=lambda found: found[1].result, reverse=True):
        if any(matches(sample.row, fault.condition) for fault in faults):
            continue
        if len(faults) == MOST_FAULTS:
            break
        faults.append(_reduced(sample, result, trials, probe))
    return faults


def matches(row: Row, condition: Condition) -> bool:
    """Return whether a row has one of the condition's values on every axis of it."""
    return all(row[axis] in values for axis, values in condition.items())


class _Probe:
    """Runs rows of one op, each once."""

    def __init__(self, op: str, swept: SweptTarget, seed: int) -> None:
        self.op, self.swept, self._seed = op, swept, seed
        self._known: dict[tuple[Hashable, ...], Trial | None] = {}

    def trial(self, row: Row) -> Trial | None:
        """Return the sample of a row with its results, None for a void row."""
        key = tuple(row.values())
        if key not in self._known:
            sample = make_sample(self.op, row, self._seed)
            self._known[key] = Trial(sample, self.swept.measure(sample)) if sample else None
        return self._known[key]


def _reduced(sample: Sample, result: Result, trials: Sequence[Trial], probe: _Probe) -> Fault:
    def state(row: Row) -> str:
        """Return whether a row is void, broken in this way, or right."""
        trial = probe.trial(row)
        if trial is None or not any(r.variant == result.variant and r.supported for r in trial.results):
            return "void"
        if any(_alike(r, result) for r in trial.results):
            return "broken"
        return "right" if _has_elements(trial.sample) or not _has_elements(sample) else "void"

    row = _shrunk(sample.row, probe.op, state)
    condition = _condition(row, probe.op, state)
    smallest, results = probe.trial(row) or Trial(sample, (result,))
    message = next(r.message for r in results if _alike(r, result))
    alike = [results for other, results in trials if matches(other.row, condition)]
    broken = sum(any(r.broken for r in results) for results in alike)
    right = sum(any(r.variant == result.variant and r.result == "pass" for r in results) for results in alike)
    cause = probe.swept.cause(smallest) if result.variant == "lowered" else ""
    return Fault(probe.op, result.variant, result.result, condition, smallest, message, cause, broken, right)


def _has_elements(sample: Sample) -> bool:
    """Return whether an output has elements. No value of one without elements is wrong, whatever the engine does."""
    return any(array.size for array in sample.case.expected.values())


def _alike(a: Result, b: Result) -> bool:
    """Return whether `a` is broken as `b` is: in the same variant, and an error with the same words."""
    same_words = b.result == "wrong" or _words(a.message) == _words(b.message)
    return a.broken and (a.variant, a.result) == (b.variant, b.result) and same_words


def _words(message: str) -> list[str]:
    return re.findall(r"[A-Za-z]{3,}", message)[:MESSAGE_WORDS]


def _shrunk(row: Row, op: str, state: Callable[[Row], str]) -> Row:
    """Return a row that is still broken, each axis at the simplest value at which it is."""
    for axis, values in axes_of(op).items():
        for value in values[: values.index(row[axis])]:
            simpler = row | {axis: value}
            if state(simpler) == "broken":
                row = simpler
                break
    return row


def _condition(row: Row, op: str, state: Callable[[Row], str]) -> Condition:
    """Return the values of each axis that break this row, without the axes of which all valid values do."""
    condition: dict[str, tuple[Hashable, ...]] = {}
    for axis, values in axes_of(op).items():
        states = {value: state(row | {axis: value}) for value in values}
        if "right" in states.values():
            condition[axis] = tuple(value for value in values if states[value] == "broken")
    return condition
