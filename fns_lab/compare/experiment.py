"""A experiment: two models, what each of them eats, and the engines that they run in."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from onnx import ModelProto

from fns_lab.compare.comparison import Comparison, compare
from fns_lab.compare.graph import Feeds, Graph
from fns_lab.compare.pairing import partners
from fns_lab.compare.tolerance import Tolerance
from fns_lab.compare.values import Run, Values


@dataclass(frozen=True)
class ModelRun:
    """One of the two: a model, its feeds, and what runs it (or any part of it) in the engine of this side."""

    model: ModelProto
    feeds: Feeds
    run: Run
    piecewise: bool = False
    """Whether values may be computed from one another, piece by piece (see `Values`)."""
    values: Mapping[str, np.ndarray] | None = None
    """Values that come from elsewhere, such as those of PyTorch's modules; without it, `run` gives them."""


@dataclass(frozen=True)
class Experiment:
    """ModelRun a is the reference. What is computed once is kept for all questions."""

    a: ModelRun
    b: ModelRun
    tolerance: Tolerance

    @cached_property
    def pairs(self) -> dict[str, str]:
        """Name in a to name in b."""
        return partners(self.a.model, self.b.model)

    @cached_property
    def names_in_a(self) -> dict[str, str]:
        """Name in b to name in a."""
        return {b: a for a, b in self.pairs.items()}

    @cached_property
    def values_a(self) -> Mapping[str, np.ndarray]:
        """The values of a that have a partner."""
        return _values(self.a, self.pairs)

    @cached_property
    def values_b(self) -> Mapping[str, np.ndarray]:
        """The values of b that have a partner, planned in the order in which a has them."""
        order = [name for name in self.values_a if name in self.pairs]
        return _values(self.b, [self.pairs[name] for name in order])

    @cached_property
    def graph_b(self) -> Graph:
        return Graph(self.b.model, self.b.feeds)

    @cached_property
    def b_in_engine_a(self) -> Values:
        """All values of b in the engine of a: what the inside of a rewrite should be."""
        return Values(self.b.model, self.b.feeds, self.a.run, piecewise=self.a.piecewise)

    def compare(self, *, judge: Mapping[str, np.ndarray] | None = None) -> Comparison:
        """Every value against its partner. A value larger than the chunks is dropped once it is compared."""
        found = compare(self.a.model, self.b.model, self.values_a, self.values_b, self.tolerance, judge=judge)
        sides = {"a": self.values_a, "b": self.values_b}
        changed_by_instrumentation = {
            side: values.changed_by_instrumentation for side, values in sides.items() if isinstance(values, Values)
        }
        return dataclasses.replace(found, changed_by_instrumentation=changed_by_instrumentation)

    def truth(self, name: str) -> np.ndarray:
        """What b's value of this name should be: its partner in a, or, inside a rewrite, what the engine of a makes."""
        if name in self.b.feeds:
            return self.b.feeds[name]
        if name in self.names_in_a and self.names_in_a[name] in self.values_a:
            return self.values_a[self.names_in_a[name]]
        return self.b_in_engine_a[name]

    def is_known(self, name: str) -> bool:
        """Whether `truth` has an answer: not for shapes and indices, whose type is no float."""
        return name in self.b.feeds or name in self.b_in_engine_a


def _values(side: ModelRun, names) -> Mapping[str, np.ndarray]:
    if side.values is not None:
        return side.values
    return Values(side.model, side.feeds, side.run, names=names, piecewise=side.piecewise)
