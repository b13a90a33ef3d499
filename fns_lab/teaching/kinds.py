"""What an answer may look like: each kind reads an answer, or says what is missing, and compares two of them."""

from __future__ import annotations

import math
import re
from numbers import Real

from fns_lab.errors import InputError

NEAR = 0.15
"""A number within this fraction of the right one is near."""
ROUNDING = 0.005
"""A number within this fraction of the right one is right, unless it counts something."""
CLOSEST_SHAPES_PX = 3
"""A shape no dimension of which is further away than this many pixels is near."""


class Number:
    """A number that may be rounded."""

    WANTED = "a number, such as 1.5"
    EXACT = False

    def read(self, answer: object) -> float:
        """Return the answer as a number. Raises `InputError` if it is none."""
        answer = _plain(answer)
        if isinstance(answer, bool) or not isinstance(answer, Real) or not math.isfinite(answer):
            raise InputError(f"give {self.WANTED}, without quotes")
        return float(answer)

    def same(self, answer: float, right: float) -> bool:
        """Return whether two numbers agree up to `ROUNDING`."""
        return math.isclose(answer, right, rel_tol=ROUNDING)

    def near(self, answer: float, right: float) -> bool:
        """Return whether an answer that is not right is within `NEAR` of it."""
        return math.isclose(answer, right, rel_tol=NEAR)


class Count(Number):
    """A whole number."""

    WANTED = "a whole number, such as 12"
    EXACT = True

    def read(self, answer: object) -> float:
        """Return the answer as a number. Raises `InputError` if it is no whole number."""
        number = super().read(answer)
        if number != round(number):
            raise InputError(f"give {self.WANTED}: what is counted here has no halves")
        return number

    def same(self, answer: float, right: float) -> bool:
        """Return whether two counts are equal."""
        return answer == right

    def near(self, answer: float, right: float) -> bool:
        """Return whether an answer that is not right is one off, or within `NEAR` of it."""
        return abs(answer - right) == 1 or super().near(answer, right)


class Shape:
    """Height and width in pixels."""

    WANTED = "height and width in pixels, such as (96, 128)"
    EXACT = True

    def read(self, answer: object) -> tuple[int, ...]:
        """Return the answer as a tuple. Raises `InputError` if it is not two whole numbers above 0."""
        answer = _plain(answer)
        numbers = list(answer) if isinstance(answer, list | tuple) else []
        if len(numbers) != 2 or not all(isinstance(n, int) and not isinstance(n, bool) and n > 0 for n in numbers):
            raise InputError(f"give {self.WANTED}: H and W alone, without N and C")
        return tuple(map(int, numbers))

    def same(self, answer: tuple[int, ...], right: tuple[int, ...]) -> bool:
        """Return whether two shapes are equal."""
        return answer == right

    def near(self, answer: tuple[int, ...], right: tuple[int, ...]) -> bool:
        """Return whether each dimension is at most `CLOSEST_SHAPES_PX` off."""
        return all(abs(a - b) <= CLOSEST_SHAPES_PX for a, b in zip(answer, right, strict=True))


class Name:
    """The name of a value or a rule, as the page prints it."""

    EXACT = True

    def __init__(self, wanted: str) -> None:
        self.WANTED = wanted

    def read(self, answer: object) -> str:
        """Return the answer without white space around it. Raises `InputError` if it is no text."""
        if not isinstance(answer, str) or not answer.strip() or re.search(r"\s", answer.strip()):
            raise InputError(f"give {self.WANTED}: one name, in quotes")
        return answer.strip()

    def same(self, answer: str, right: str) -> bool:
        """Return whether two names are equal."""
        return answer == right

    def near(self, answer: str, right: str) -> bool:
        """Return whether two names begin with the same module or word, such as `res1.conv1` and `res1.conv2`."""
        return answer != right and re.split(r"[.-]", answer)[0] == re.split(r"[.-]", right)[0]


Kind = Number | Shape | Name
"""Any of these kinds."""


def _plain(answer: object) -> object:
    """Return NumPy's and torch's numbers and arrays as Python's own."""
    return answer.tolist() if hasattr(answer, "tolist") else answer
