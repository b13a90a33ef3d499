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

from fns_lab.compare.blame import Progress, introduced
from fns_lab.compare.comparison import Comparison, Skipped, compare, verdict
from fns_lab.compare.trial import Trial

NOT_LOOKED_AT = "not looked at"


def bisect(trial: Trial, *, progress: Progress = lambda text: None) -> Comparison:
    """A `Comparison` of the values that crossed the cuts looked at, all others listed in `skipped`.

    The model as it is runs first: if its outputs agree, that is the whole answer. Each further run ends at a cut. The
    first value that differs is the one that the nodes between the last two cuts make; `findings` names these.
    """
    progress("the model as it is")
    seen = {name: trial.values_b[name] for name in trial.graph_b.outputs if name in trial.values_b}
    whole = _compared(trial, seen)
    if whole:
        return whole
    cuts = _cuts(trial)
    low, high = 0, len(cuts)
    while high - low > 1:
        middle = (low + high) // 2
        progress(f"{high - low} cuts left, up to {', '.join(cuts[middle])}")
        found = _run_to(trial, cuts[middle])
        seen |= found
        low, high = (middle, high) if _right(trial, found) else (low, middle)
    after = cuts[high] if high < len(cuts) else trial.graph_b.outputs
    return _with_finding(trial, _compared(trial, seen), cuts[low], after)


def _cuts(trial: Trial) -> list[tuple[str, ...]]:
    """What crosses each cut, in order; the first is the input. Places that let an unpaired value through are none."""
    graph, found = trial.graph_b, [tuple(trial.b.feeds)]
    paired = {b for b, a in trial.names_in_a.items() if a in trial.values_a and b in graph.known}
    last_reader = {name: max(readers) for name, readers in graph.readers.items()}
    crossing: list[str] = []
    for i, node in enumerate(graph.nodes[:-1]):
        crossing = [name for name in (*crossing, *node.output) if last_reader.get(name, -1) > i]
        data = [name for name in crossing if not _is_constant(trial, name)]
        if data and all(name in paired for name in data):
            found.append(tuple(data))
    return list(dict.fromkeys(found))


def _is_constant(trial: Trial, name: str) -> bool:
    return not trial.graph_b.boundary(trial.graph_b.behind([name]))


def _run_to(trial: Trial, names: Sequence[str]) -> dict[str, np.ndarray]:
    """The values of b at a cut, from the part of the model that lies before it."""
    graph = trial.graph_b
    nodes = graph.behind(names)
    given = {name: trial.b.feeds[name] for name in graph.boundary(nodes)}
    found = trial.b.run(graph.piece(nodes, given, names), given)
    return {name: np.asarray(found[name]) for name in names}


def _right(trial: Trial, values: dict[str, np.ndarray]) -> bool:
    return not any(verdict(trial.truth(name), x, trial.tolerance)[2] for name, x in values.items())


def _compared(trial: Trial, values: dict[str, np.ndarray]) -> Comparison:
    """The comparison of these values of b alone."""
    found = compare(trial.a.model, trial.b.model, trial.values_a, values, trial.tolerance)
    reasons = {s.value: NOT_LOOKED_AT if "among the values of b" in s.reason else s.reason for s in found.skipped}
    return dataclasses.replace(found, skipped=tuple(Skipped(*item) for item in reasons.items()))


def _with_finding(trial: Trial, found: Comparison, before: Sequence[str], after: Sequence[str]) -> Comparison:
    rows = found.table.set_index("value")
    wrong = [name for name in after if rows.at[trial.names_in_a[name], "fault"]]
    value = trial.names_in_a[wrong[0]]
    nodes = trial.graph_b.behind(wrong[:1], stop=before)
    finding = introduced(trial, value, nodes, neighbours=True)
    origin = "introduced" if finding else "unexplained"
    table = found.table.assign(origin=found.table["value"].map({value: origin}).fillna(""))
    return dataclasses.replace(found, table=table, findings=(finding,) if finding else ())
