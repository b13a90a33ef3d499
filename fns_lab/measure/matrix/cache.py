"""What an engine was seen to do, kept: one file an engine, one line a run, written as soon as it is known.

A run is found again by what decides it: the serialized model that ran, its feeds, what was expected, the tolerance,
the engine's version and settings, and this package's runners. What lowering makes of a case is a model too, so a
change of the rules measures again exactly the cases whose model it changes.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from onnx import ModelProto

from fns_lab import runtimes
from fns_lab.measure.matrix.outcome import TOLERANCE, CaseResult
from fns_lab.paths import CACHE
from fns_lab.runtimes import engine_name
from fns_lab.targets import Target


class ResultCache:
    """Verdicts of one target by key, kept in memory alone without a `folder`.

    A line that is no verdict (cut short, say) is passed over.
    """

    def __init__(self, target: Target, folder: Path | None = CACHE / "matrix") -> None:
        self._path = folder and folder / f"{target.name.replace('/', '-')}.jsonl"
        self._engine = json.dumps([target.name, engine_name(target), dict(target.settings)], sort_keys=True)
        self._verdicts = dict(_read(self._path)) if self._path else {}

    def key(self, model: ModelProto, feeds: Mapping[str, np.ndarray], expected: Mapping[str, np.ndarray]) -> str:
        """Of a run of `model` in this engine."""
        digest = hashlib.sha256(f"{self._engine}{TOLERANCE!r}{_runners()}".encode())
        digest.update(model.SerializeToString(deterministic=True))
        for name, array in (*feeds.items(), *expected.items()):
            digest.update(f"{name}{array.dtype}{array.shape}".encode())
            digest.update(array.tobytes())
        return digest.hexdigest()

    def get(self, key: str) -> CaseResult | None:
        return self._verdicts.get(key)

    def put(self, key: str, verdict: CaseResult) -> None:
        self._verdicts[key] = verdict
        if self._path is None:
            return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps([key, *verdict]) + "\n")


def _read(path: Path):
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
    """A digest of the code that runs models."""
    folder = Path(runtimes.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.suffix in (".py", ".js", ".html")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
