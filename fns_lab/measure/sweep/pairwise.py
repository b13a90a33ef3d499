"""Rows that together hold every pair of values of two axes, drawn one after another with a seed.

Far fewer rows than the full product show a fault that two values together make: thirteen axes of six values have
13,060,694,016 combinations, and all their pairs fit into some eighty rows.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Collection, Hashable, Mapping, Sequence

Axes = Mapping[str, Sequence[Hashable]]
"""By axis, the values that it may take, the simplest first."""
Row = dict[str, Hashable]
"""One value per axis."""
Pair = tuple[tuple[str, int], tuple[str, int]]
"""Two axes with the position of a value in each, in the order of the axes."""

ATTEMPTS = 3
"""After so many rows that turned out void, a pair counts as impossible."""


class Pairwise:
    """Draws rows of `axes`. After each, call `keep` if it was a valid case, or `drop` if it was none.

    Every second row has, on the axes of `usual`, one of the values there. A fault that takes three values or more is
    then likely to be met, if all but two of them are usual ones.
    """

    def __init__(self, axes: Axes, seed: object, usual: Axes | None = None) -> None:
        self._axes = {name: tuple(values) for name, values in axes.items()}
        self._usual = {name: {axes[name].index(value) for value in values} for name, values in (usual or {}).items()}
        self._rows = 0
        self._position = {name: index for index, name in enumerate(self._axes)}
        self._random = random.Random(repr(seed))
        self._attempts: Counter[Pair] = Counter()
        pairs = (pair for names in itertools.combinations(self._axes, 2) for pair in self._pairs_of(*names))
        self._open = dict.fromkeys(pairs)  # not a set, whose order differs from run to run

    @property
    def done(self) -> bool:
        """Whether every pair was in a valid row, or in `ATTEMPTS` void ones."""
        return not self._open

    def draw(self) -> Row:
        """Return the next row: one that holds many pairs still open, or a random one if there are none."""
        chosen: dict[str, int] = {}
        usual = self._usual if self._rows % 2 else {}
        self._rows += 1
        if fitting := [pair for pair in self._open if all(index in usual.get(name, (index,)) for name, index in pair)]:
            chosen |= dict(self._random.choice(fitting))
        names = [name for name in self._axes if name not in chosen]
        self._random.shuffle(names)
        for name in names:
            chosen[name] = self._best(name, chosen, usual.get(name, range(len(self._axes[name]))))
        return {name: values[chosen[name]] for name, values in self._axes.items()}

    def keep(self, row: Row) -> None:
        """Count the pairs of this row as covered."""
        for pair in self._pairs_in(row):
            self._open.pop(pair, None)

    def drop(self, row: Row) -> None:
        """Count the row as an attempt at its pairs."""
        for pair in self._pairs_in(row):
            self._attempts[pair] += 1
            if self._attempts[pair] >= ATTEMPTS:
                self._open.pop(pair, None)

    def _best(self, name: str, chosen: Mapping[str, int], indices: Collection[int]) -> int:
        """Return which of these values of an axis makes the most open pairs with those chosen."""
        gains = {index: self._gain((name, index), chosen) for index in sorted(indices)}
        most = max(gains.values())
        return self._random.choice([index for index, gain in gains.items() if gain == most])

    def _gain(self, value: tuple[str, int], chosen: Mapping[str, int]) -> int:
        return sum(self._ordered(value, other) in self._open for other in chosen.items())

    def _pairs_of(self, a: str, b: str) -> list[Pair]:
        return [((a, i), (b, j)) for i in range(len(self._axes[a])) for j in range(len(self._axes[b]))]

    def _pairs_in(self, row: Row) -> list[Pair]:
        values = [(name, values.index(row[name])) for name, values in self._axes.items()]
        return list(itertools.combinations(values, 2))

    def _ordered(self, a: tuple[str, int], b: tuple[str, int]) -> Pair:
        return (a, b) if self._position[a[0]] < self._position[b[0]] else (b, a)
