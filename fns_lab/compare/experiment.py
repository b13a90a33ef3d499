"""Two models, what each of them takes, and the engines that they run in."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from onnx import ModelProto

from fns_lab.compare.comparison import Comparison, compare_values
from fns_lab.compare.graph import Feeds, Graph
from fns_lab.compare.pairing import ops_of, partners
from fns_lab.compare.tolerance import Tolerance
from fns_lab.compare.values import UNNAMED_ENGINE, GivenValues, Run, Values


@dataclass(frozen=True)
class ModelRun:
    """A model, its feeds, and the engine that runs it or any part of it."""

    model: ModelProto
    feeds: Feeds
    run: Run
    piecewise: bool = False
    """Whether values may be computed from one another, chunk by chunk (see `Values`)."""
    values: Mapping[str, np.ndarray] | None = None
    """Values that were computed elsewhere, such as those of PyTorch's modules; without them, `run` computes them."""
    engine: str = UNNAMED_ENGINE
    """Name of the engine in error messages."""

    def plan_values(self, names: Iterable[str] | None = None) -> Values | GivenValues:
        """Return the values `names`, by default all, ready to be computed in this order. Nothing runs yet."""
        if self.values is not None:
            return GivenValues(self.values)
        return Values(self.model, self.feeds, self.run, names=names, piecewise=self.piecewise, engine=self.engine)


@dataclass(frozen=True)
class Experiment:
    """Two model runs: the reference `a`, and `b`, which is compared with it.

    Only `compare` and `expected`, and the methods of `values_a`, `values_b` and `b_in_engine_a`, run an engine.
    """

    a: ModelRun
    b: ModelRun
    tolerance: Tolerance

    @cached_property
    def pairs(self) -> dict[str, str]:
        """Names in b by names in a, for the values that pair up."""
        return partners(self.a.model, self.b.model)

    @cached_property
    def names_in_a(self) -> dict[str, str]:
        """Names in a by names in b, for the values that pair up."""
        return {b: a for a, b in self.pairs.items()}

    @cached_property
    def values_a(self) -> Values | GivenValues:
        """The values of a that have a partner, in the order of a's graph."""
        return self.a.plan_values(name for name in ops_of(self.a.model) if name in self.pairs)

    @cached_property
    def values_b(self) -> Values | GivenValues:
        """The values of b whose partners a can compute, in the order of a's graph."""
        order = [name for name in ops_of(self.a.model) if name in self.pairs and name in self.values_a]
        return self.b.plan_values(self.pairs[name] for name in order)

    @cached_property
    def graph_b(self) -> Graph:
        """The graph of b at the shapes of its feeds."""
        return Graph(self.b.model, self.b.feeds)

    @cached_property
    def b_in_engine_a(self) -> Values:
        """All values of b in the engine of a: the expected values inside a rewrite."""
        a = self.a
        return Values(self.b.model, self.b.feeds, a.run, piecewise=a.piecewise, engine=a.engine)

    def compare(self, *, truth: Mapping[str, np.ndarray] | None = None) -> Comparison:
        """Compute every value of both models, a's before b's, and return their comparison.

        At most one chunk of each model is in memory at a time. `truth` is described at `compare`.
        """
        a, b = self.values_a, self.values_b
        comparison = compare_values(self.a.model, self.b.model, a, b, self.tolerance, truth=truth)
        changes = {
            name: values.changed_by_instrumentation
            for name, values in (("a", a), ("b", b))
            if isinstance(values, Values)
        }
        return dataclasses.replace(comparison, changed_by_instrumentation=changes)

    def expected(self, name: str) -> np.ndarray:
        """Return what b's value `name` should be; the engine of a runs if it has not computed the value yet.

        That is the value's partner in a or, inside a rewrite, the value that the engine of a computes from b's model.
        """
        if name in self.b.feeds:
            return self.b.feeds[name]
        partner = self.names_in_a.get(name)
        if partner is not None and partner in self.values_a:
            return self.values_a.compute([partner])[partner]
        return self.b_in_engine_a.compute([name])[name]

    def has_expected(self, name: str) -> bool:
        """Return whether `expected` has a value of this name: not for shapes and indices, which are no floats."""
        return name in self.b.feeds or name in self.b_in_engine_a
