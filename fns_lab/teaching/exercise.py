"""What an exercise is: the numbers that a student gets, and how an answer is compared with the right one."""

from __future__ import annotations

import inspect
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from fns_lab.errors import InputError, nearest
from fns_lab.teaching.kinds import Kind

Given = Mapping[str, Any]
"""Values of a task and parameters of a notebook, by name."""
Mistake = tuple[object, str]
"""An answer that is often given, and the hint for it."""

RIGHT = "right"
"""Result of a right answer."""
NEAR = "near"
"""Result of an answer that is near; it has a hint, as all that follow but the last."""
MISTAKE = "mistake"
"""Result of a usual mistake."""
WRONG = "wrong"
"""Result of any other wrong answer."""
KIND = "kind"
"""Result of an answer of another kind than asked for."""
OPEN = "open"
"""Result where there is no answer yet."""


class Outcome(NamedTuple):
    """What an answer is like: one of `RIGHT`, `NEAR`, `MISTAKE`, `WRONG`, and a word on it or ""."""

    result: str
    text: str = ""


@dataclass(frozen=True)
class Answer:
    """What a student answered: `value` is of the exercise's `kind`. It says what it is like, never what is right."""

    kind: Kind
    value: Any

    def beside(self, right: Any, *mistakes: Mistake, confirm: str = "") -> Outcome:
        """Return what this answer is like beside the right one and usual mistakes; `confirm` is for a right answer."""
        same: Any = self.kind.same
        if same(self.value, right):
            return Outcome(RIGHT, confirm)
        for wrong, hint in mistakes:
            if same(self.value, wrong) and not same(wrong, right):
                return Outcome(MISTAKE, hint)
        near: Any = self.kind.near
        return Outcome(NEAR if near(self.value, right) else WRONG)


class Exercise:
    """One exercise. A subclass's docstring says what it asks.

    - `ID`: the notebook's number and its own, such as `"03.2"`
    - `KIND`: what an answer looks like
    - `NEAR`: the hint for an answer that is near
    - `LOOK`: where on the page to look, the hint for any other wrong answer
    """

    ID: ClassVar[str]
    KIND: ClassVar[Kind]
    NEAR: ClassVar[str]
    LOOK: ClassVar[str]

    def draw(self, rng: random.Random) -> dict[str, Any]:
        """Return the values of one student, by the names of the parameters of `assess`."""
        return {}

    def assess(self, answer: Answer, **given: Any) -> Outcome:
        """Return what an answer is like, beside the right one for these values, which is computed anew.

        Nothing returns the right answer: who wants it from here has to do what the exercise asks.
        """
        raise NotImplementedError

    def given(self, student: int, parameters: Given) -> dict[str, Any]:
        """Return the student's values together with the notebook's parameters that the answer depends on.

        Raises `InputError` for a name that the exercise does not have, and for a student number that is no number.
        """
        if isinstance(student, bool) or not isinstance(student, int):
            raise InputError(f"student {student!r}: give a whole number")
        drawn = self.draw(random.Random(f"{self.ID} {student}"))
        wanted = [name for name in inspect.signature(self.assess).parameters if name != "answer"]
        for name in parameters:
            if name not in wanted:
                near = f"; the nearest is {nearest(name, wanted)!r}" if wanted else ""
                raise InputError(f"exercise {self.ID} has no parameter {name!r}{near}")
        return drawn | dict(parameters)
