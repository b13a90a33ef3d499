"""Find a wrong value in a few runs, where running all values takes too long.

A *cut* is a place in b's node order where every value that crosses it (computed before, read after) has a partner in a.
At the model's input all values that cross are right, at its output one is wrong; so there are two neighbouring cuts,
right at the first and wrong at the second, and halving the distance finds them in log2(cuts) runs. This holds however
errors grow or shrink in between: if all values at a cut are right, no error from before it reaches what lies after it.
The nodes between the two cuts introduced an error (others, earlier or later, may exist too).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from fns_lab.compare.comparison import Comparison, Skipped, compare_arrays, compare_values
from fns_lab.compare.experiment import Experiment
from fns_lab.compare.localize import Progress, introduced
from fns_lab.compare.values import GivenValues, run_model

NOT_COMPUTED = "not computed"
"""Reason why `bisect` skipped a value that has a partner."""


def bisect(experiment: Experiment, *, progress: Progress = lambda text: None) -> Comparison:
    """Return a `Comparison` of the values at the cuts that were tried; all others are in `skipped`.

    The unmodified models run first: if their outputs agree, that is the answer. Each further run of b ends at a cut.
    `first_divergence` is a value that the nodes between the last two cuts compute; `findings` names these nodes.
    """
    progress("the unmodified model")
    outputs = [name for name in experiment.graph_b.outputs if name in experiment.values_b]
    experiment.values_a.compute(experiment.names_in_a[name] for name in outputs)  # a before b
    values = experiment.values_b.compute(outputs)
    at_outputs = _compare(experiment, values)
    if at_outputs:
        return at_outputs
    cuts = _cuts(experiment)
    low, high = 0, len(cuts)
    while high - low > 1:
        middle = (low + high) // 2
        progress(f"{high - low} cuts left, up to {', '.join(cuts[middle])}")
        at_cut = _run_to(experiment, cuts[middle])
        values |= at_cut
        low, high = (middle, high) if _all_right(experiment, at_cut) else (low, middle)
    after = cuts[high] if high < len(cuts) else experiment.graph_b.outputs
    return _with_finding(experiment, _compare(experiment, values), cuts[low], after)


def _cuts(experiment: Experiment) -> list[tuple[str, ...]]:
    """Return the names of the values that cross each cut, in b's node order; the first cut is the input."""
    graph, cuts = experiment.graph_b, [tuple(experiment.b.feeds)]
    paired = {b for b, a in experiment.names_in_a.items() if a in experiment.values_a and b in graph.known}
    last_reader = {name: max(readers) for name, readers in graph.readers.items()}
    crossing: list[str] = []
    for i, node in enumerate(graph.nodes[:-1]):
        crossing = [name for name in (*crossing, *node.output) if last_reader.get(name, -1) > i]
        data = [name for name in crossing if not _is_constant(experiment, name)]
        if data and all(name in paired for name in data):
            cuts.append(tuple(data))
    return list(dict.fromkeys(cuts))


def _is_constant(experiment: Experiment, name: str) -> bool:
    return not experiment.graph_b.inputs_of(experiment.graph_b.ancestors([name]))


def _run_to(experiment: Experiment, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Return the values of b at a cut, from a run of the nodes before it."""
    graph, b = experiment.graph_b, experiment.b
    nodes = graph.ancestors(names)
    feeds = {name: b.feeds[name] for name in graph.inputs_of(nodes)}
    return run_model(b.run, graph.subgraph(nodes, feeds, names), feeds, names, engine=b.engine)


def _all_right(experiment: Experiment, values: Mapping[str, np.ndarray]) -> bool:
    return not any(compare_arrays(experiment.expected(name), x, experiment.tolerance)[2] for name, x in values.items())


def _compare(experiment: Experiment, values: Mapping[str, np.ndarray]) -> Comparison:
    """Return the comparison of these values of b only."""
    models = experiment.a.model, experiment.b.model
    comparison = compare_values(*models, experiment.values_a, GivenValues(values), experiment.tolerance)
    reasons = {s.value: NOT_COMPUTED if "among the values of B" in s.reason else s.reason for s in comparison.skipped}
    return dataclasses.replace(comparison, skipped=tuple(Skipped(*item) for item in reasons.items()))


def _with_finding(
    experiment: Experiment, comparison: Comparison, before: Sequence[str], after: Sequence[str]
) -> Comparison:
    table = comparison.table
    faults = dict(zip(table["value"], table["fault"], strict=True))
    wrong = next(name for name in after if faults[experiment.names_in_a[name]])
    value = experiment.names_in_a[wrong]
    nodes = experiment.graph_b.ancestors([wrong], stop=before)
    finding = introduced(experiment, value, nodes, neighbours=True)
    origin = "introduced" if finding else "unexplained"
    table = table.assign(origin=table["value"].map({value: origin}).fillna(""))
    return dataclasses.replace(comparison, table=table, findings=(finding,) if finding else ())
