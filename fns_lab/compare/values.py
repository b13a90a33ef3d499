"""Every value of a model, from an engine that gives only graph outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import onnx

from fns_lab import models
from fns_lab.compare.graph import Feeds, Graph
from fns_lab.compare.metrics import value_range

Run = Callable[[onnx.ModelProto, Feeds], Mapping[str, np.ndarray]]
"""Runs a model once in some engine: `run(model, feeds)` gives its graph outputs by name."""

CHUNK_BYTES = 64 * 2**20
"""Most bytes asked of an engine in one run. A page holds a tensor about four times over on its way out (the engine's
heap, a copy, its text form, the message), and 4 x 64 MiB is far below the 4 GiB of a wasm heap; a network at
128 x 128 still needs three runs at most, each of which costs a new session."""

KEEP_BYTES = 512 * 2**20
"""Where all values together take no more, they are kept once computed; else only the chunk at hand is."""


class Values(Mapping[str, np.ndarray]):
    """The float values that the nodes of `model` compute from `feeds`, by name, each computed when it is asked for.

    Graph outputs come from the model as it is. For the inner ones, values become outputs too, in chunks of at most
    `CHUNK_BYTES` in the order of `names` (by default the graph's), one run each; a value whose size is not known before
    the run has a chunk of its own. `changed_by_instrumentation` says whether being instrumented changed the engine's answer.

    With `piecewise` a chunk starts from what the one before left, so that all chunks together cost one run of the
    model. This suits an engine whose ops do not depend on their neighbours; elsewhere it would hide what is looked for.

    Values that are no floats (shapes, indices) are not here. Asking for one value after another in order is cheap,
    whatever their size. Raises `RuntimeError` when the engine does not return a value that was asked for.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        feeds: Feeds,
        run: Run,
        *,
        names: Iterable[str] | None = None,
        piecewise: bool = False,
    ) -> None:
        self._graph, self._feeds, self._run = Graph(model, feeds), feeds, run
        here = [*dict.fromkeys([*self._graph.values(), *self._graph.outputs])]
        self._names = here if names is None else [name for name in names if name in set(here)]
        self._sizes = {name: self._graph.size_bytes(name, CHUNK_BYTES) for name in self._names}
        cuttable = all(value in self._graph.known for value in self._graph.producer)
        self._compute = self._pieces if piecewise and cuttable else self._whole
        self._keep_all = sum(self._sizes.values()) <= KEEP_BYTES
        self._found: dict[str, np.ndarray] = {}
        self._plain: dict[str, np.ndarray] | None = None
        self._left: dict[str, np.ndarray] | None = None
        self._done: set[int] = set()
        self.changed_by_instrumentation = 0.0
        """Largest difference between a graph output of the model as it is and the same output while values were
        instrumented, as a fraction of the output's range; 0.0 as long as there is none, inf for another shape or NaN."""

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def __contains__(self, name: object) -> bool:
        return name in self._sizes

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._sizes:
            raise KeyError(name)
        if name in self._graph.outputs:
            return self.outputs[name]
        if name not in self._found:
            chunk = self._chunk(name)
            if not self._keep_all:
                self._found.clear()
            self._found |= self._compute(chunk)
        return self._found[name]

    @property
    def outputs(self) -> dict[str, np.ndarray]:
        """What the model as it is gives, run once."""
        if self._plain is None:
            self._plain = self._asked(self._graph.model, self._feeds, self._graph.outputs)
        return self._plain

    def _chunk(self, first: str) -> list[str]:
        """`first` and the values after it, as far as there is room."""
        chunk, room = [], CHUNK_BYTES
        for name in self._names[self._names.index(first) :]:
            room -= self._sizes[name]
            if chunk and room < 0:
                break
            if name not in self._graph.outputs and name not in self._found:
                chunk.append(name)
        return chunk

    def _whole(self, chunk: Sequence[str]) -> dict[str, np.ndarray]:
        instrumented = models.with_outputs(self._graph.model, chunk)
        found = self._asked(instrumented, self._feeds, [*self._graph.outputs, *chunk])
        self._note_change(found)
        return {name: found[name] for name in chunk}

    def _pieces(self, chunk: Sequence[str]) -> dict[str, np.ndarray]:
        """Run what lies between the values left over so far and the chunk; leave what the rest will read."""
        if self._left is None or not self._done.isdisjoint(self._graph.producer[name] for name in chunk):
            self._left, self._done = dict(self._feeds), set()
            self._plain = self.outputs  # first: the memory that the whole model takes is then free for the pieces
        last = chunk[-1] == self._last
        nodes = self._graph.ancestors([*chunk, *(self._graph.outputs if last else ())], stop=self._left) - self._done
        self._done |= nodes
        made = [value for i in sorted(nodes) for value in self._graph.nodes[i].output if value]
        asked = list(dict.fromkeys([*chunk, *filter(self._is_needed, made)]))
        given = {name: self._left[name] for name in self._graph.inputs_of(nodes)}
        found = self._asked(self._graph.subgraph(nodes, given, asked), given, asked)
        self._left = {name: x for name, x in (self._left | found).items() if self._is_needed(name)}
        if last:
            self._note_change(self._left)
        return {name: found[name] for name in chunk}

    @property
    def _last(self) -> str:
        return next(name for name in reversed(self._names) if name not in self._graph.outputs)

    def _is_needed(self, name: str) -> bool:
        """Whether a node that has not run yet reads it, or the caller of the model does."""
        return name in self._graph.outputs or any(i not in self._done for i in self._graph.readers.get(name, ()))

    def _asked(self, model: onnx.ModelProto, feeds: Feeds, names: Sequence[str]) -> dict[str, np.ndarray]:
        returned = self._run(model, feeds)
        lost = [name for name in names if name not in returned]
        if lost:
            raise RuntimeError(f"the engine returned {len(returned)} values but not {lost[0]!r}, which is an output")
        return {name: np.asarray(returned[name]) for name in names}

    def _note_change(self, found: Mapping[str, np.ndarray]) -> None:
        for name, plain in self.outputs.items():
            self.changed_by_instrumentation = max(
                self.changed_by_instrumentation, _relative_difference(plain, found[name])
            )


def collect(model: onnx.ModelProto, feeds: Feeds, run: Run) -> dict[str, np.ndarray]:
    """All `Values` of a model at once, in the order of the graph; for models whose values fit in memory."""
    return dict(Values(model, feeds, run))


def _relative_difference(x: np.ndarray, y: np.ndarray) -> float:
    if x.shape != y.shape:
        return float("inf")
    if x.size == 0 or np.array_equal(x, y, equal_nan=x.dtype.kind == "f"):
        return 0.0
    difference = float(np.abs(np.subtract(x, y, dtype=np.float64)).max())
    return difference / (value_range(x) or 1.0) if np.isfinite(difference) else float("inf")
