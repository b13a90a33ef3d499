"""What an exercise is: the numbers that a student gets, the right answer, and the usual mistakes."""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from fns_lab.errors import InputError, nearest
from fns_lab.teaching.kinds import Kind

Given = Mapping[str, Any]
Mistake = tuple[object, str]
"""An answer that is often given, and the hint for it."""


class Exercise:
    """One exercise. A subclass's docstring says what it asks; nothing in it holds an answer.

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
        """Return the values of one student, by the names of the parameters of `answer`."""
        return {}

    def answer(self, **given: Any) -> Any:
        """Return the right answer for these values, computed anew."""
        raise NotImplementedError

    def confirm(self, **given: Any) -> str:
        """Return what a right answer is told."""
        return "right"

    def mistakes(self, **given: Any) -> Iterator[Mistake]:
        """Yield usual wrong answers for these values, each with its hint."""
        yield from ()

    def recognise(self, answer: Any, **given: Any) -> str | None:
        """Return the hint for a usual mistake, or None."""
        right = self.answer(**given)
        for value, hint in self.mistakes(**given):
            if self.KIND.same(answer, value) and not self.KIND.same(value, right):  # type: ignore[arg-type]
                return hint
        return None

    def given(self, student: int, parameters: Given) -> dict[str, Any]:
        """Return the student's values together with the notebook's parameters that the answer depends on.

        Raises `InputError` for a name that the exercise does not have, and for a student number that is no number.
        """
        if isinstance(student, bool) or not isinstance(student, int):
            raise InputError(f"student {student!r}: give a whole number")
        drawn = self.draw(random.Random(f"{self.ID} {student}"))
        wanted = inspect.signature(self.answer).parameters
        for name in parameters:
            if name not in wanted:
                near = f"; the nearest is {nearest(name, wanted)!r}" if wanted else ""
                raise InputError(f"exercise {self.ID} has no parameter {name!r}{near}")
        return drawn | dict(parameters)
