"""Find the nodes that introduced an error, and tell them from those that inherited it.

For each wrong value of b, the nodes that compute it from the nearest values that pair with a are run as a subgraph in
b's engine *on correct inputs*. If the result is still wrong, these nodes **introduced** the error; if it is right, they
**inherited** it. Sometimes a subgraph is right alone, although all its inputs were right in the whole graph too: then
the error depends on neighbouring nodes, as in an engine that reads the texture of another node. So neighbours are added
until the subgraph gives a wrong result, and removed again for as long as it still does.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from onnx import ModelProto

from fns_lab.compare.comparison import Comparison, Finding, compare_arrays
from fns_lab.compare.experiment import Experiment, ModelRun
from fns_lab.compare.graph import Feeds
from fns_lab.compare.metrics import Metrics
from fns_lab.compare.tolerance import Tolerance
from fns_lab.compare.values import UNNAMED_ENGINE, Run, run_model
from fns_lab.errors import RuntimeFault

GROWTH = 3.0
"""A value with wrong inputs is tried too if its relative error is more than this many times theirs. Of the ops of these
networks only normalisations enlarge errors that much; those are tried, and turn out to inherit."""

MOST_TRIED = 24
"""Most values tried; each costs a session of the engine."""

MOST_STEPS = 4
"""Most times that the neighbours of a subgraph's inputs are added to it."""

Progress = Callable[[str], object]
"""Called with one line per step."""


@dataclass(frozen=True)
class Subgraph:
    """Some nodes of b as a model, correct inputs for it, and the expected result for one value."""

    model: ModelProto
    feeds: Feeds
    value: str
    """Name of the value in b."""
    expected: np.ndarray

    def compare(self, run: Run, tolerance: Tolerance, *, engine: str = UNNAMED_ENGINE) -> tuple[Metrics, float, str]:
        """Run the model once and return `compare_arrays` of the value and the expected one.

        Raises `RuntimeFault`, with `engine` as the engine's name, if `run` does not return the value.
        """
        outputs = run_model(run, self.model, self.feeds, [self.value], engine=engine)
        return compare_arrays(self.expected, outputs[self.value], tolerance)


def localize(experiment: Experiment, comparison: Comparison, *, progress: Progress = lambda text: None) -> Comparison:
    """Return `comparison` with an `origin` for each wrong value, and in `findings` the nodes that introduced errors.

    `origin` is "introduced"; "inherited"; "unexplained" if the value is wrong although all its inputs are right and no
    subgraph shows the error; "untried" beyond `MOST_TRIED`. `progress` is called with a line about what runs next.
    """
    table, pairs = comparison.table, experiment.pairs
    max_rel = dict(zip(table["value"], table["max_rel"], strict=True))
    wrong = [value for value in table.loc[table["fault"] != "", "value"] if value in pairs]
    all_wrong = frozenset(wrong)
    measured = {pairs[value] for value in table.loc[np.isfinite(table["limit"]), "value"] if value in pairs}
    origins: dict[str, str] = {}
    findings: list[Finding] = []
    tried = 0
    for value in wrong:
        name = pairs[value]
        if name not in experiment.values_b:
            continue
        nodes = experiment.graph_b.nodes_behind(name, stop=measured)
        inputs = [experiment.names_in_a.get(each, "") for each in experiment.graph_b.inputs_of(nodes)]
        wrong_inputs = [each for each in inputs if each in all_wrong]
        if wrong_inputs and not _grew(max_rel, value, wrong_inputs):
            origins[value] = "inherited"
        elif tried == MOST_TRIED:
            origins[value] = "untried"
        else:
            tried += 1
            progress(f"the nodes of {value}, on correct inputs")
            finding = introduced(experiment, value, nodes, neighbours=not wrong_inputs)
            origins[value] = "introduced" if finding else "inherited" if wrong_inputs else "unexplained"
            findings += [finding] if finding else []
    table = table.assign(origin=[origins.get(value, "") for value in table["value"]])
    return dataclasses.replace(comparison, table=table, findings=tuple(findings))


def introduced(experiment: Experiment, value: str, nodes: set[int], *, neighbours: bool) -> Finding | None:
    """Return a `Finding` if `nodes` of b, which compute a's `value`, give a wrong result on correct inputs, else None.

    With `neighbours`, nodes around them are tried too. The finding has as few nodes as were found to give it.
    """
    name, steps = experiment.pairs[value], MOST_STEPS if neighbours else 0
    is_wrong = _is_wrong(experiment, name, nodes, experiment.b)
    while not is_wrong and steps:
        nodes, steps = _with_neighbours(experiment, name, nodes), steps - 1
        is_wrong = _is_wrong(experiment, name, nodes, experiment.b)
    if not is_wrong:
        return None
    if _is_wrong(experiment, name, nodes, experiment.a):
        return _finding(experiment, value, nodes, "rewrite")
    fewest = _fewest(nodes, lambda fewer: _is_wrong(experiment, name, fewer, experiment.b))
    return _finding(experiment, value, fewest, "engine")


def subgraph(experiment: Experiment, finding: Finding) -> Subgraph:
    """Return the nodes of a finding as a model, with correct inputs and the expected value."""
    nodes = {experiment.graph_b.producer[name] for name in finding.nodes}
    return _subgraph(experiment, experiment.pairs[finding.value], _closed(experiment, nodes))


def _subgraph(experiment: Experiment, name: str, nodes: set[int]) -> Subgraph:
    graph = experiment.graph_b
    feeds = {each: experiment.expected(each) for each in graph.inputs_of(nodes)}
    outputs = [each for each in graph.outputs_of(nodes) if each in graph.known and each != name]
    return Subgraph(graph.subgraph(nodes, feeds, [name, *outputs]), feeds, name, experiment.expected(name))


def _closed(experiment: Experiment, nodes: set[int]) -> set[int]:
    """`nodes`, and those that compute inputs without an expected value, such as shapes."""
    graph = experiment.graph_b
    unknown = [name for name in graph.inputs_of(nodes) if not experiment.has_expected(name)]
    known = {name for name in graph.producer if experiment.has_expected(name)}
    return nodes | graph.ancestors(unknown, stop=known)


def _is_wrong(experiment: Experiment, name: str, nodes: set[int], model_run: ModelRun) -> bool:
    """Whether `nodes` give a wrong result on correct inputs. False for a subgraph that the engine cannot run."""
    nodes = _closed(experiment, nodes)
    if experiment.graph_b.producer[name] not in nodes:
        return False
    try:
        part = _subgraph(experiment, name, nodes)
        return bool(part.compare(model_run.run, experiment.tolerance, engine=model_run.engine)[2])
    except RuntimeFault:
        return False


def _with_neighbours(experiment: Experiment, name: str, nodes: set[int]) -> set[int]:
    """`nodes`, those that compute their inputs, and all that read the same inputs or the value itself."""
    graph = experiment.graph_b
    inputs = graph.inputs_of(nodes)
    producers = {graph.producer[each] for each in inputs if each in graph.producer}
    readers = {i for each in (*inputs, name) for i in graph.readers.get(each, ())}
    return _closed(experiment, nodes | producers | readers)


def _fewest(nodes: set[int], is_wrong: Callable[[set[int]], bool]) -> set[int]:
    """Return a subset that is still wrong and from which no single node can be removed (Zeller's ddmin).

    Halves are removed first, then quarters, down to single nodes.
    """
    size = len(nodes) // 2
    while size:
        ordered = sorted(nodes)
        chunks = [set(ordered[i : i + size]) for i in range(0, len(ordered), size)]
        smaller = next((nodes - chunk for chunk in chunks if is_wrong(nodes - chunk)), None)
        if smaller is None:
            size //= 2
        else:
            nodes, size = smaller, min(size, len(smaller) // 2)
    return nodes


def _finding(experiment: Experiment, value: str, nodes: set[int], source: str) -> Finding:
    nodes, b = _closed(experiment, nodes), experiment.b
    part = _subgraph(experiment, experiment.pairs[value], nodes)
    metrics, limit, _ = part.compare(b.run, experiment.tolerance, engine=b.engine)
    kept = [node for i in sorted(nodes) if (node := experiment.graph_b.nodes[i]).op_type != "Constant"]
    ops, names = tuple(node.op_type for node in kept), tuple(node.output[0] for node in kept)
    return Finding(value, ops, names, source, metrics.max_abs, limit)


def _grew(max_rel: Mapping[str, float], value: str, wrong_inputs: Iterable[str]) -> bool:
    """Whether the relative error of `value` is far above that of all its wrong inputs."""
    return not max_rel[value] <= GROWTH * max(max_rel[each] for each in wrong_inputs)
