"""Search among versions for the first whose results differ from those of the oldest."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fns_lab.compare.comparison import Comparison
from fns_lab.compare.experiment import ModelRun
from fns_lab.compare.graph import Graph
from fns_lab.errors import RuntimeFault

Progress = Callable[[str], None]
"""Called with one line per version."""


@dataclass(frozen=True)
class VersionSearch:
    """The result of a search among versions; true if the newest agrees with the oldest.

    - `target`: the target without a version, such as `ort-web/webgpu`
    - `versions`: those that were searched, oldest first; the first is the reference
    - `tried`: why the result of a version differs, by version; empty if it agrees
    - `comparison`: the two neighbours, value by value; None if none differs, or one of them fails to run
    - `failing_op`: the first node that does not run in the version that fails, as `Op 'value'`
    """

    target: str
    versions: Sequence[str]
    tried: Mapping[str, str]
    comparison: Comparison | None = None
    failing_op: str | None = None

    @property
    def differs(self) -> str | None:
        """The first version that differs, None if none was found."""
        return next((version for version in self.versions if self.tried.get(version)), None)

    @property
    def agrees(self) -> str:
        """The last version before it; the newest if none differs."""
        return self.versions[self.versions.index(self.differs) - 1] if self.differs else self.versions[-1]

    def __bool__(self) -> bool:
        return self.differs is None

    def __str__(self) -> str:
        runs = f"{len(self.tried)} of {len(self.versions)} versions run"
        if self.differs is None:
            return f"{self.target}: {self.agrees} agrees with {self.versions[0]}; {runs}"
        agrees = f"{self.agrees} is the reference" if self.agrees == self.versions[0] else f"{self.agrees} agrees"
        ops = f"; {self.comparison}" if self.comparison is not None else ""
        ops += f"; the first node that fails is {self.failing_op}" if self.failing_op else ""
        return f"{self.target}: {agrees}, {self.differs} differs: {self.tried[self.differs]}{ops}; {runs}"

    def to_json(self) -> dict[str, Any]:
        """Return one strict JSON object."""
        return {
            "target": self.target,
            "equal": bool(self),
            "versions": list(self.versions),
            "agrees": self.agrees,
            "differs": self.differs,
            "tried": dict(self.tried),
            "failing_op": self.failing_op,
            "comparison": self.comparison.to_json() if self.comparison is not None else None,
        }


def search(versions: Sequence[str], difference: Callable[[str], str]) -> dict[str, str]:
    """Run the newest version, then halve the range until two neighbours are left; return what was tried.

    `difference(version)` returns why a version differs from the first, empty if it agrees. Where results changed more
    than once, one of the changes is found. A newest version that agrees ends the search.
    """
    agrees, differs = 0, len(versions) - 1
    tried = {versions[0]: "", versions[-1]: difference(versions[-1])}
    while tried[versions[-1]] and differs - agrees > 1:
        middle = (agrees + differs) // 2
        tried[versions[middle]] = difference(versions[middle])
        if tried[versions[middle]]:
            differs = middle
        else:
            agrees = middle
    return tried


def first_to_fail(run: ModelRun) -> str | None:
    """Return the first node, as `Op 'value'`, that does not run with all nodes before it, found by halving.

    None if all of them run so, cut off from what follows.
    """
    graph = Graph(run.model, run.feeds)
    runs, fails = 0, len(graph.nodes) + 1
    while fails - runs > 1:
        middle = (runs + fails) // 2
        if middle > 0 and _starts(run, graph, middle):
            runs = middle
        else:
            fails = middle
    if fails > len(graph.nodes):
        return None
    node = graph.nodes[fails - 1]
    return f"{node.op_type} {node.output[0]!r}"


def _starts(run: ModelRun, graph: Graph, count: int) -> bool:
    """Return whether the first `count` nodes run as a model of their own."""
    nodes = range(count)
    outputs = graph.outputs_of(nodes)
    feeds = {name: run.feeds[name] for name in graph.inputs_of(nodes)}
    try:
        run.run(graph.subgraph(nodes, feeds, outputs), feeds)
    except RuntimeFault:
        return False
    return True
