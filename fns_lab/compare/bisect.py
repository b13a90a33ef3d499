"""The first wrong value from a few runs, where running all values is too slow.

A *cut* is a place in b's node order where everything that crosses it pairs with values of a. At the network's input
all that crosses is right, at its output something is wrong; so there are two neighbouring cuts, right before and wrong
after, and halving finds them in log2(cuts) runs. Nothing is assumed about how errors grow or die in between: a cut that
is right clears all that lies before it, since nothing else reaches what lies after. The nodes between the two cuts have
made the error (another, later or earlier, may exist beside it).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from fns_lab.compare.comparison import Comparison, Skipped, compare, compare_arrays
from fns_lab.compare.experiment import Experiment
from fns_lab.compare.localize import Progress, introduced

NOT_LOOKED_AT = "not looked at"


def bisect(experiment: Experiment, *, progress: Progress = lambda text: None) -> Comparison:
    """A `Comparison` of the values that crossed the cuts looked at, all others listed in `skipped`.

    The model as it is runs first: if its outputs agree, that is the whole answer. Each further run ends at a cut. The
    first value that differs is the one that the nodes between the last two cuts make; `findings` names these.
    """
    progress("the model as it is")
    seen = {name: experiment.values_b[name] for name in experiment.graph_b.outputs if name in experiment.values_b}
    whole = _compared(experiment, seen)
    if whole:
        return whole
    cuts = _cuts(experiment)
    low, high = 0, len(cuts)
    while high - low > 1:
        middle = (low + high) // 2
        progress(f"{high - low} cuts left, up to {', '.join(cuts[middle])}")
        found = _run_to(experiment, cuts[middle])
        seen |= found
        low, high = (middle, high) if _right(experiment, found) else (low, middle)
    after = cuts[high] if high < len(cuts) else experiment.graph_b.outputs
    return _with_finding(experiment, _compared(experiment, seen), cuts[low], after)


def _cuts(experiment: Experiment) -> list[tuple[str, ...]]:
    """What crosses each cut, in order; the first is the input. Places that let an unpaired value through are none."""
    graph, found = experiment.graph_b, [tuple(experiment.b.feeds)]
    paired = {b for b, a in experiment.names_in_a.items() if a in experiment.values_a and b in graph.known}
    last_reader = {name: max(readers) for name, readers in graph.readers.items()}
    crossing: list[str] = []
    for i, node in enumerate(graph.nodes[:-1]):
        crossing = [name for name in (*crossing, *node.output) if last_reader.get(name, -1) > i]
        data = [name for name in crossing if not _is_constant(experiment, name)]
        if data and all(name in paired for name in data):
            found.append(tuple(data))
    return list(dict.fromkeys(found))


def _is_constant(experiment: Experiment, name: str) -> bool:
    return not experiment.graph_b.inputs_of(experiment.graph_b.ancestors([name]))


def _run_to(experiment: Experiment, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The values of b at a cut, from the part of the model that lies before it."""
    graph = experiment.graph_b
    nodes = graph.ancestors(names)
    given = {name: experiment.b.feeds[name] for name in graph.inputs_of(nodes)}
    found = experiment.b.run(graph.subgraph(nodes, given, names), given)
    return {name: np.asarray(found[name]) for name in names}


def _right(experiment: Experiment, values: dict[str, np.ndarray]) -> bool:
    return not any(compare_arrays(experiment.truth(name), x, experiment.tolerance)[2] for name, x in values.items())


def _compared(experiment: Experiment, values: dict[str, np.ndarray]) -> Comparison:
    """The comparison of these values of b alone."""
    found = compare(experiment.a.model, experiment.b.model, experiment.values_a, values, experiment.tolerance)
    reasons = {s.value: NOT_LOOKED_AT if "among the values of b" in s.reason else s.reason for s in found.skipped}
    return dataclasses.replace(found, skipped=tuple(Skipped(*item) for item in reasons.items()))


def _with_finding(experiment: Experiment, found: Comparison, before: Sequence[str], after: Sequence[str]) -> Comparison:
    rows = found.table.set_index("value")
    wrong = [name for name in after if rows.at[experiment.names_in_a[name], "fault"]]
    value = experiment.names_in_a[wrong[0]]
    nodes = experiment.graph_b.ancestors(wrong[:1], stop=before)
    finding = introduced(experiment, value, nodes, neighbours=True)
    origin = "introduced" if finding else "unexplained"
    table = found.table.assign(origin=found.table["value"].map({value: origin}).fillna(""))
    return dataclasses.replace(found, table=table, findings=(finding,) if finding else ())
