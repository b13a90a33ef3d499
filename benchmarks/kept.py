"""Results kept in a file as they come, so that a run that was stopped goes on from there. JSON, one object per line."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def read(path: Path | None) -> dict[str, Any]:
    """Return the results in a file, without those of a line that was cut off."""
    results: dict[str, Any] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path and path.is_file() else ():
        with contextlib.suppress(ValueError):
            results |= json.loads(line)
    return results


def add(path: Path | None, results: Mapping[str, Any]) -> None:
    """Append results as a line of their own, also after one that was cut off. They replace older ones of that name."""
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write("\n" + json.dumps(results))
