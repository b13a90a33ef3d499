"""A cache of results: one file per engine, one line per run, written as soon as the result is known.

The key of a run is a digest of everything that its result depends on: the serialized model, its feeds, the expected
outputs, the tolerance, the engine's version and settings, and this package's runners. A lowered case is a model too, so
that a change of the rules measures again exactly the cases whose lowered model it changes. A crash or a hang is kept
in memory alone: the next process measures it again.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto

from fns_lab import runtimes
from fns_lab.measure.matrix.outcome import TOLERANCE, CaseResult
from fns_lab.paths import CACHE
from fns_lab.runtimes import engine_name
from fns_lab.targets import Target


class ResultCache:
    """The results of one target by key. Without a `folder` they are kept in memory alone.

    A line that is not a result, such as one that was cut short, is skipped.
    """

    def __init__(self, target: Target, folder: Path | None = CACHE / "matrix") -> None:
        self._path = folder and folder / f"{target.name.replace('/', '-')}.jsonl"
        self._engine = json.dumps([target.name, engine_name(target), dict(target.settings)], sort_keys=True)
        self._results = dict(_read(self._path)) if self._path else {}

    def key(
        self,
        model: ModelProto,
        feeds: Mapping[str, np.ndarray],
        expected: Mapping[str, np.ndarray],
        *,
        elementwise: bool = False,
    ) -> str:
        """Return the key of a run of `model` on `feeds` in this engine."""
        comparison = "elementwise" if elementwise else ""
        digest = hashlib.sha256(f"{self._engine}{TOLERANCE!r}{_runners()}{comparison}".encode())
        digest.update(model.SerializeToString(deterministic=True))
        for name, array in (*feeds.items(), *expected.items()):
            digest.update(f"{name}{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def get(self, key: str) -> CaseResult | None:
        """Return the result of this key, None if it was never measured."""
        return self._results.get(key)

    def put(self, key: str, result: CaseResult) -> None:
        """Keep the result of this key, in the file too if the engine answered."""
        self._results[key] = result
        if self._path is None or not result.answered:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([key, result.result, result.max_abs, result.message]) + "\n")


def _read(path: Path) -> Iterator[tuple[str, CaseResult]]:
    if not path.is_file():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            key, result, max_abs, message = json.loads(line)
        except ValueError:
            continue
        yield key, CaseResult(result, max_abs, message)


@functools.cache
def _runners() -> str:
    """Return a digest of the code that runs models."""
    folder = Path(runtimes.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".js", ".html")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
