"""`task` prints the values of a student's exercise, `check` says whether an answer is right, or gives a hint."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from fns_lab import paths
from fns_lab.errors import InputError, nearest
from fns_lab.teaching.exercise import KIND, MISTAKE, NEAR, OPEN, RIGHT, WRONG, Answer, Exercise

MIME_TYPE = "application/vnd.fns-lab.check+json"
"""MIME type under which a notebook keeps the result of a check, for `fns-lab course grade`."""


@dataclass(frozen=True)
class Feedback:
    """The result of a check, true if the answer is right. `hints`: hints that this exercise has given so far."""

    exercise: str
    result: str
    text: str
    hints: int = 0

    def __bool__(self) -> bool:
        return self.result == RIGHT

    def __str__(self) -> str:
        return f"{self.exercise}: {self.text}"

    __repr__ = __str__

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, object]:
        data = {"exercise": self.exercise, "result": self.result, "hints": self.hints}
        return {"text/plain": str(self), MIME_TYPE: data}


@dataclass(frozen=True)
class Task:
    """What one student's exercise asks: each of its values is an attribute, by its name."""

    exercise: str
    student: int
    values: dict[str, Any]

    def __getattr__(self, name: str) -> Any:
        try:
            return self.values[name]
        except KeyError:
            raise AttributeError(f"exercise {self.exercise} has no value {name!r}: {', '.join(self.values)}") from None

    def __repr__(self) -> str:
        values = ", ".join(f"{name} = {value!r}" for name, value in self.values.items())
        return f"{self.exercise}, student {self.student}: {values or 'no values of your own'}"


def exercise(name: str) -> Exercise:
    """Return the exercise of this name, such as `"03.2"`. Raises `InputError` if there is none."""
    from fns_lab.teaching.exercises import EXERCISES

    if name not in EXERCISES:
        raise InputError(f"no exercise {name!r}; the nearest is {nearest(str(name), EXERCISES)!r}")
    return EXERCISES[name]


def task(name: str, student: int = 0) -> Task:
    """Return the values of a student's exercise. Raises `InputError` for an unknown exercise."""
    return Task(name, student, exercise(name).given(student, {}))


def check(name: str, answer: object, student: int = 0, **parameters: Any) -> Feedback:
    """Say whether an answer is right; if not, give a hint that does not say the answer. None is no answer yet.

    `parameters`: those of the notebook that the answer depends on. The right answer is computed from them. Raises
    `InputError` for an unknown exercise or parameter.
    """
    feedback = feedback_on(name, answer, student, **parameters)
    return Feedback(name, feedback.result, feedback.text, _count(feedback, student))


def feedback_on(name: str, answer: object, student: int = 0, **parameters: Any) -> Feedback:
    """Return what `check` says, without counting hints."""
    asked = exercise(name)
    given = asked.given(student, parameters)
    if answer is None or (isinstance(answer, str) and not answer.strip()):
        return Feedback(name, OPEN, f"not answered yet; give {asked.KIND.WANTED}")
    try:
        value: Any = asked.KIND.read(answer)
    except InputError as error:
        return Feedback(name, KIND, f"not yet: {error}")
    result, text = asked.assess(Answer(asked.KIND, value), **given)
    words = {
        RIGHT: f"right: {text}" if text else "right",
        MISTAKE: f"not yet, a usual mistake: {text}",
        NEAR: f"not yet, but near: {asked.NEAR}",
        WRONG: f"not yet: {asked.LOOK}",
    }
    return Feedback(name, result, words[result])


def _count(feedback: Feedback, student: int) -> int:
    """Return how many hints the exercise has given this student, this one included; kept in the project's cache.

    The same hint twice in a row, as when a notebook runs again, counts once. Where nothing can be written, only this
    hint is counted.
    """
    from fns_lab.files import write_text

    file, counts = paths.CACHE / "hints.json", {}
    with suppress(OSError, ValueError):
        counts = json.loads(file.read_text(encoding="utf-8"))
    key = f"{feedback.exercise} {student}"
    hints, last = counts.get(key, (0, ""))
    if feedback.result in (RIGHT, OPEN) or feedback.text == last:
        return int(hints)
    counts[key] = (hints + 1, feedback.text)
    with suppress(OSError, InputError):
        file.parent.mkdir(exist_ok=True)
        write_text(file, json.dumps(counts))
    return int(hints) + 1
