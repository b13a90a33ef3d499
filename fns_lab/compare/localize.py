"""Whose fault an error is: made in an op, or handed to it.

Every wrong value is the end of a piece of b: the nodes behind it, back to the nearest values that pair with a. Run
alone in b's engine *on the true inputs*, a piece that still gives a wrong value has **introduced** the error; one that
gives the right one has **inherited** it. Where a piece is right alone although all that it reads was right in the
whole graph, the fault lies in a neighbourhood: an engine may read the texture of the producer of its producer. Then
nodes around it are added until the fault shows, and taken away again as long as it still does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from onnx import ModelProto

from fns_lab.compare.comparison import Comparison, Finding, compare_arrays
from fns_lab.compare.experiment import Experiment
from fns_lab.compare.graph import Feeds
from fns_lab.compare.metrics import Metrics
from fns_lab.compare.tolerance import Tolerance
from fns_lab.compare.values import Run

GROWTH = 3.0
"""A value that was handed an error is a suspect of its own where the relative error is this many times as large: no op
of these networks but a normalisation enlarges errors by more, and those are then tried and found innocent."""

MOST_SUSPECTS = 24
"""Suspects tried; each costs a session of the engine."""

MOST_STEPS = 4
"""How many times a piece that is right alone grows by the neighbours of its edge."""

Progress = Callable[[str], object]


@dataclass(frozen=True)
class Subgraph:
    """Some nodes of b as a model, their true inputs, and what they should then give for one value."""

    model: ModelProto
    feeds: Feeds
    value: str
    expected: np.ndarray

    def compare(self, run: Run, tolerance: Tolerance) -> tuple[Metrics, float, str]:
        """`fns_lab.compare.comparison.compare_arrays` of the value in the engine of `run`."""
        return compare_arrays(self.expected, np.asarray(run(self.model, self.feeds)[self.value]), tolerance)


def localize(experiment: Experiment, comparison: Comparison, *, progress: Progress = lambda text: None) -> Comparison:
    """`comparison` with an `origin` for each wrong value, and the nodes that introduced errors in `findings`.

    `origin` is "introduced"; "inherited"; "unexplained" where the value is wrong although all that it reads is right,
    and no piece of the graph shows it; "untried" beyond `MOST_SUSPECTS`. `progress` is told what is tried.
    """
    rows = comparison.table.set_index("value")
    wrong = {experiment.pairs[value] for value in rows.index[rows["fault"] != ""] if value in experiment.pairs}
    edge = {
        experiment.pairs[value]
        for value in rows.index
        if value in experiment.pairs and np.isfinite(rows.at[value, "limit"])
    }
    origins, findings, tried = {}, [], 0
    for value in rows.index[rows["fault"] != ""]:
        name = experiment.pairs.get(value)
        if name is None or name not in experiment.values_b:
            continue
        nodes = experiment.graph_b.ancestors([name], stop=edge - {name})
        sources = [source for source in experiment.graph_b.inputs_of(nodes) if source in wrong]
        if sources and not _grew(rows, value, [experiment.names_in_a[source] for source in sources]):
            origins[value] = "inherited"
            continue
        if tried == MOST_SUSPECTS:
            origins[value] = "untried"
            continue
        tried += 1
        progress(f"{value} alone")
        finding = introduced(experiment, value, nodes, neighbours=not sources)
        origins[value] = "introduced" if finding else "inherited" if sources else "unexplained"
        findings += [finding] if finding else []
    table = comparison.table.assign(origin=[origins.get(value, "") for value in comparison.table["value"]])
    return dataclasses.replace(comparison, table=table, findings=tuple(findings))


def introduced(experiment: Experiment, value: str, nodes: set[int], *, neighbours: bool) -> Finding | None:
    """Whether `nodes`, which compute a's `value` in b, make an error of their own from true inputs.

    With `neighbours`, nodes around them are tried too. The finding names the fewest nodes that were found to do it.
    """
    name = experiment.pairs[value]
    shown = _shows(experiment, name, nodes)
    if not shown and not neighbours:
        return None
    for _ in range(MOST_STEPS):
        if shown:
            break
        nodes = _grown(experiment, name, nodes)
        shown = _shows(experiment, name, nodes)
    if not shown:
        return None
    if _shows(experiment, name, nodes, experiment.a.run):
        return _finding(experiment, value, nodes, "rewrite")
    return _finding(experiment, value, _fewest(nodes, lambda fewer: _shows(experiment, name, fewer)), "engine")


def subgraph(experiment: Experiment, finding: Finding) -> Subgraph:
    """The model of a finding, with its inputs and the true value."""
    nodes = {experiment.graph_b.producer[name] for name in finding.nodes}
    return _subgraph(experiment, experiment.pairs[finding.value], _closed(experiment, nodes))


def _subgraph(experiment: Experiment, name: str, nodes: set[int]) -> Subgraph:
    graph = experiment.graph_b
    given = {source: experiment.truth(source) for source in graph.inputs_of(nodes)}
    ends = [end for end in graph.outputs_of(nodes) if end in graph.known and end != name]
    return Subgraph(graph.subgraph(nodes, given, [name, *ends]), given, name, experiment.truth(name))


def _closed(experiment: Experiment, nodes: set[int]) -> set[int]:
    """`nodes` and what computes those of their inputs that cannot be given, such as a shape."""
    unknown = [name for name in experiment.graph_b.inputs_of(nodes) if not experiment.is_known(name)]
    known = {name for name in experiment.graph_b.producer if experiment.is_known(name)}
    return nodes | experiment.graph_b.ancestors(unknown, stop=known)


def _shows(experiment: Experiment, name: str, nodes: set[int], run: Run | None = None) -> bool:
    """Whether `nodes` alone give a wrong value on true inputs. A piece that the engine refuses shows nothing."""
    nodes = _closed(experiment, nodes)
    if experiment.graph_b.producer[name] not in nodes:
        return False
    try:
        return bool(_subgraph(experiment, name, nodes).compare(run or experiment.b.run, experiment.tolerance)[2])
    except (RuntimeError, KeyError):
        return False


def _grown(experiment: Experiment, name: str, nodes: set[int]) -> set[int]:
    """`nodes`, what computes their inputs, and whoever else reads those or the value itself."""
    graph = experiment.graph_b
    edge = graph.inputs_of(nodes)
    producers = {graph.producer[source] for source in edge if source in graph.producer}
    readers = {i for source in (*edge, name) for i in graph.readers.get(source, ())}
    return _closed(experiment, nodes | producers | readers)


def _fewest(nodes: set[int], shows: Callable[[set[int]], bool]) -> set[int]:
    """A subset from which no single node can be taken: halves first, then quarters, down to one (Zeller's ddmin)."""
    size = len(nodes) // 2
    while size:
        left = sorted(nodes)
        chunks = [set(left[i : i + size]) for i in range(0, len(left), size)]
        smaller = next((nodes - chunk for chunk in chunks if shows(nodes - chunk)), None)
        if smaller is None:
            size //= 2
        else:
            nodes, size = smaller, min(size, len(smaller) // 2)
    return nodes


def _finding(experiment: Experiment, value: str, nodes: set[int], source: str) -> Finding:
    nodes = _closed(experiment, nodes)
    found = _subgraph(experiment, experiment.pairs[value], nodes)
    metrics, limit, _ = found.compare(experiment.b.run, experiment.tolerance)
    kept = [node for i in sorted(nodes) if (node := experiment.graph_b.nodes[i]).op_type != "Constant"]
    ops, names = tuple(node.op_type for node in kept), tuple(node.output[0] for node in kept)
    return Finding(value, ops, names, source, metrics.max_abs, limit)


def _grew(rows: pd.DataFrame, value: str, sources: Iterable[str]) -> bool:
    """Whether the relative error of `value` is far above that of all the wrong values that it reads."""
    handed = [rows.at[source, "max_rel"] for source in sources]
    return not rows.at[value, "max_rel"] <= GROWTH * max(handed)
