"""The inner values of a model, from an engine that returns only graph outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx

from fns_lab import models
from fns_lab.compare.graph import Feeds, Graph
from fns_lab.compare.metrics import value_range
from fns_lab.errors import RuntimeFault

Run = Callable[[onnx.ModelProto, Feeds], Mapping[str, np.ndarray]]
"""Runs a model once in some engine: `run(model, feeds)` returns its graph outputs by name."""

UNNAMED_ENGINE = "the engine"
"""How a `RuntimeFault` names an engine whose name the caller did not give."""

CHUNK_BYTES = 64 * 2**20
"""Most bytes asked of an engine in one run. A browser page holds a tensor about four times over on its way out (the
engine's heap, a copy, its text, the message), and 4 x 64 MiB is far below the 4 GiB of a wasm heap; a network at
128 x 128 still needs three runs at most, each of which costs a new session."""

KEEP_BYTES = 512 * 2**20
"""If all values together take no more, every computed value is kept; otherwise only those of the last chunk are."""


class Values:
    """Float values that the nodes of `model` compute from `feeds`, by name, for an engine that `run` runs.

    Only `compute`, `compute_outputs` and `chunks` run the engine. They raise `RuntimeFault`, with `engine` as the
    engine's name, when it does not return a value.

    `names` are the values in the order in which they are computed, by default all in the order of the graph. They are
    cut into chunks of at most `CHUNK_BYTES`, with one run for each chunk; a value of unknown size is a chunk alone.
    Graph outputs come from the unmodified model. For inner values the engine runs a copy in which those of one chunk
    are outputs too. Values that are no floats (shapes, indices) are left out.

    With `piecewise`, each chunk is computed from values of the chunks before it, so that all chunks together cost one
    run of the model. Use it for an engine whose ops do not depend on their neighbours; elsewhere it would hide errors.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        feeds: Feeds,
        run: Run,
        *,
        names: Iterable[str] | None = None,
        piecewise: bool = False,
        engine: str = UNNAMED_ENGINE,
    ) -> None:
        self._graph, self._feeds, self._run, self._engine = Graph(model, feeds), feeds, run, engine
        floats = dict.fromkeys([*self._graph.values(), *self._graph.outputs])
        self.names: tuple[str, ...] = tuple(floats if names is None else (name for name in names if name in floats))
        """The values that can be computed, in the order in which `chunks` yields them."""
        self.changed_by_instrumentation = 0.0
        """Largest difference between a graph output of the unmodified model and the same output of a copy with more
        outputs, as a fraction of the output's range; 0.0 as long as there is none, inf for another shape or NaN."""
        self._inner = [name for name in self.names if name not in self._graph.outputs]
        sizes = {name: self._graph.size_bytes(name, CHUNK_BYTES) for name in self.names}
        self._chunks = _in_chunks(sizes, free=self._graph.outputs)
        self._chunk_of = {name: chunk for chunk in self._chunks for name in chunk}
        divisible = all(value in self._graph.known for value in self._graph.producer)
        self._run_chunk = self._run_subgraph if piecewise and divisible else self._run_whole
        self._keep_all = sum(sizes.values()) <= KEEP_BYTES
        self._kept: dict[str, np.ndarray] = {}
        self._outputs: dict[str, np.ndarray] | None = None
        self._live: dict[str, np.ndarray] | None = None  # values that nodes of later chunks read
        self._done: set[int] = set()  # nodes that have run in earlier chunks

    def __contains__(self, name: object) -> bool:
        return name in self._chunk_of

    def compute(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the named values. The engine runs for those that are not kept from an earlier call.

        A run computes the whole chunk that a value is in. Raises `KeyError` for a name that is not in `names`.
        """
        return {name: self._value(name) for name in names}

    def compute_outputs(self) -> dict[str, np.ndarray]:
        """Return the graph outputs of the unmodified model. The engine runs in the first call only."""
        if self._outputs is None:
            graph = self._graph
            self._outputs = run_model(self._run, graph.model, self._feeds, graph.outputs, engine=self._engine)
        return self._outputs

    def chunks(self, names: Iterable[str] | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yield the named values, by default all, in order and chunk by chunk, with one run for each chunk.

        Drop a chunk before taking the next one, so that no more than one is in memory.
        """
        wanted = set(self.names if names is None else names)
        for chunk in self._chunks:
            if not wanted.isdisjoint(chunk):
                yield self.compute(name for name in chunk if name in wanted)

    def _value(self, name: str) -> np.ndarray:
        chunk = self._chunk_of[name]
        if name in self._graph.outputs:
            return self.compute_outputs()[name]
        if name not in self._kept:
            if not self._keep_all:
                self._kept.clear()
            self._kept |= self._run_chunk([each for each in chunk if each not in self._graph.outputs])
        return self._kept[name]

    def _run_whole(self, chunk: Sequence[str]) -> dict[str, np.ndarray]:
        instrumented, names = models.with_outputs(self._graph.model, chunk), [*self._graph.outputs, *chunk]
        values = run_model(self._run, instrumented, self._feeds, names, engine=self._engine)
        self._note_change(values)
        return {name: values[name] for name in chunk}

    def _run_subgraph(self, chunk: Sequence[str]) -> dict[str, np.ndarray]:
        """Run the nodes between the live values and the chunk; keep the values that later nodes read."""
        if self._live is None or not self._done.isdisjoint(self._graph.producer[name] for name in chunk):
            self._live, self._done = dict(self._feeds), set()
            self.compute_outputs()  # first: the memory that the whole model takes is then free for the subgraphs
        is_last = chunk[-1] == self._inner[-1]
        ends = [*chunk, *(self._graph.outputs if is_last else ())]
        nodes = self._graph.ancestors(ends, stop=self._live) - self._done
        self._done |= nodes
        computed = [value for i in sorted(nodes) for value in self._graph.nodes[i].output if value]
        names = list(dict.fromkeys([*chunk, *filter(self._is_needed, computed)]))
        given = {name: self._live[name] for name in self._graph.inputs_of(nodes)}
        subgraph = self._graph.subgraph(nodes, given, names)
        values = run_model(self._run, subgraph, given, names, engine=self._engine)
        self._live = {name: x for name, x in (self._live | values).items() if self._is_needed(name)}
        if is_last:
            self._note_change(self._live)
        return {name: values[name] for name in chunk}

    def _is_needed(self, name: str) -> bool:
        """Whether a node that has not run yet reads the value, or it is a graph output."""
        return name in self._graph.outputs or any(i not in self._done for i in self._graph.readers.get(name, ()))

    def _note_change(self, values: Mapping[str, np.ndarray]) -> None:
        changes = [_relative_difference(x, values[name]) for name, x in self.compute_outputs().items()]
        self.changed_by_instrumentation = max([self.changed_by_instrumentation, *changes])


class GivenValues:
    """Arrays that were computed elsewhere, with the methods of `Values`. Nothing here runs an engine."""

    def __init__(self, arrays: Mapping[str, np.ndarray]) -> None:
        self._arrays = arrays

    def __contains__(self, name: object) -> bool:
        return name in self._arrays

    def compute(self, names: Iterable[str]) -> dict[str, np.ndarray]:
        """Return the named values."""
        return {name: self._arrays[name] for name in names}

    def chunks(self, names: Iterable[str] | None = None) -> Iterator[dict[str, np.ndarray]]:
        """Yield the named values, by default all, as one chunk."""
        yield self.compute(self._arrays if names is None else names)


class ChunkReader:
    """Reads values one after another from `chunks`, with one chunk in memory at a time."""

    def __init__(self, chunks: Iterator[dict[str, np.ndarray]]) -> None:
        self._chunks, self._chunk = chunks, dict[str, np.ndarray]()

    def take(self, name: str) -> np.ndarray:
        """Return a value and forget it. Names must come in the order of the chunks, else `KeyError` is raised."""
        while name not in self._chunk:
            self._chunk = {}  # dropped before the next chunk is computed
            try:
                self._chunk = next(self._chunks)
            except StopIteration:
                raise KeyError(name) from None
        return self._chunk.pop(name)


def run_model(
    run: Run, model: onnx.ModelProto, feeds: Feeds, names: Sequence[str], *, engine: str
) -> dict[str, np.ndarray]:
    """Run `model` once and return the outputs `names`. Raises `RuntimeFault` if the engine does not return one."""
    returned = run(model, feeds)
    for name in names:
        if name not in returned:
            raise RuntimeFault(engine, models.model_label(model), f"no value was returned for the output {name!r}")
    return {name: np.asarray(returned[name]) for name in names}


def collect(model: onnx.ModelProto, feeds: Feeds, run: Run) -> dict[str, np.ndarray]:
    """Compute all `Values` of a model and return them in the order of the graph; they must fit in memory."""
    values = Values(model, feeds, run)
    return values.compute(values.names)


def _in_chunks(sizes: Mapping[str, int], *, free: Sequence[str]) -> list[list[str]]:
    """Cut the names into chunks of at most `CHUNK_BYTES`; those in `free` take no room."""
    chunks: list[list[str]] = []
    room = 0
    for name in sizes:
        size = 0 if name in free else sizes[name]
        if not chunks or size > room:
            chunks.append([])
            room = CHUNK_BYTES
        chunks[-1].append(name)
        room -= size
    return chunks


def _relative_difference(x: np.ndarray, y: np.ndarray) -> float:
    if x.shape != y.shape:
        return float("inf")
    if x.size == 0 or np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
        return 0.0
    difference = float(np.abs(np.subtract(x, y, dtype=np.float64)).max())
    return difference / (value_range(x) or 1.0) if np.isfinite(difference) else float("inf")
