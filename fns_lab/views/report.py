"""Notebooks as a report: each runs from its first cell, becomes one HTML file that opens offline, and gets a card in
`index.html`. Nothing is loaded from anywhere: images are inside, and where a notebook shows a widget or a frame the
report has the image that stands in its place (any output that also carries `text/html`).
"""

from __future__ import annotations

import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fns_lab.errors import InputError, one_line
from fns_lab.files import atomic_write
from fns_lab.paths import NOTEBOOKS, REPORTS

if TYPE_CHECKING:
    from nbformat import NotebookNode

LONGEST_CELL_S = 600
"""A cell that runs longer is stopped and counts as failed."""

_STATE = "index.json"


@dataclass(frozen=True)
class Card:
    """What the index says of one notebook. Files are named relative to the report's folder."""

    name: str
    source: str
    """The notebook's own path. A card whose notebook is gone leaves the index."""
    title: str
    question: str
    html: str
    image: str | None
    time_s: float
    error: str | None
    """None, or the failing cell's error in one line."""


@dataclass(frozen=True)
class Report:
    """The notebooks of one run; true if all of them ran through."""

    index: Path
    cards: tuple[Card, ...]

    def __bool__(self) -> bool:
        return bool(self.cards) and not any(card.error for card in self.cards)

    def __str__(self) -> str:
        failed = [card.name for card in self.cards if card.error]
        verdict = f"{len(failed)} failed ({', '.join(failed)})" if failed else "all ran"
        return f"{len(self.cards)} notebooks, {sum(c.time_s for c in self.cards):.0f} s, {verdict}: {self.index}"

    def to_json(self) -> dict[str, Any]:
        return {"index": str(self.index), "ok": bool(self), "notebooks": [asdict(card) for card in self.cards]}


def run_notebooks(
    paths: Iterable[str | os.PathLike] | None = None,
    out: str | os.PathLike = REPORTS,
    *,
    parameters: dict[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Run notebooks and write `out/NAME.html` for each and `out/index.html` for all that `out` holds.

    `paths`: the notebooks, None for every one of `notebooks/`. `parameters` replace values of each notebook's
    parameters cell. `say` is told, one line at a time, what begins and how it ended. A notebook that fails is written
    as far as it came, and the others still run. Raises `InputError` for a path that is no notebook, before any runs.
    """
    paths = _checked(sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) if paths is None else list(map(Path, paths)))
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    say = say or (lambda line: None)
    cards = []
    for i, path in enumerate(paths, 1):
        say(f"[{i}/{len(paths)}] {path.name}: running")
        card = _report(path, out, parameters or {})
        cards.append(card)
        say(f"[{i}/{len(paths)}] {path.name}: {card.error or 'good'}, {card.time_s:.0f} s")
        _write_index(out, cards)
    return Report(out / "index.html", tuple(cards))


def _checked(paths: list[Path]) -> list[Path]:
    import nbformat

    if not paths:
        raise InputError(f"{NOTEBOOKS}: no notebooks there")
    for path in paths:
        if not path.is_file():
            raise InputError(f"{path}: no such notebook")
        try:
            nbformat.read(path, as_version=4)
        except Exception as error:  # nbformat raises its own, JSON's and jsonschema's
            raise InputError(f"{path}: not a notebook ({one_line(error)})") from None
    names = [path.stem for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"{name}: given twice; a report's files are named by their notebook")
    return paths


def _report(path: Path, out: Path, parameters: dict[str, Any]) -> Card:
    from fns_lab.views import page

    started = time.perf_counter()
    notebook, error = _execute(path, parameters)
    time_s = time.perf_counter() - started
    title, question = page.opening(notebook, path.stem)
    image = page.thumbnail(notebook)
    if image:
        image_name = f"{path.stem}.{image[1]}"
        with atomic_write(out / image_name) as temporary:
            temporary.write_bytes(image[0])
    card = Card(
        name=path.stem,
        source=str(path.resolve()),
        title=title,
        question=question,
        html=f"{path.stem}.html",
        image=image_name if image else None,
        time_s=round(time_s, 1),
        error=error,
    )
    with atomic_write(out / card.html) as temporary:
        temporary.write_text(page.notebook_page(notebook, card), encoding="utf-8")
    return card


def _execute(path: Path, parameters: dict[str, Any]) -> tuple[NotebookNode, str | None]:
    """The notebook with its outputs, and the error of the cell that stopped it."""
    import nbformat

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # those of papermill's own libraries; a cell's own are in its output
        import papermill

        copy, error = Path(folder, path.name), None
        try:
            papermill.execute_notebook(
                str(path),
                str(copy),
                parameters=parameters,
                cwd=str(path.resolve().parent),
                kernel_name="python3",  # of the Python that runs this, whatever the file was saved with
                language="python",
                progress_bar=False,
                extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns of TCP at every start
                execution_timeout=LONGEST_CELL_S,
            )
        except papermill.PapermillExecutionError as fault:
            error = f"cell {fault.exec_count}: {fault.ename}: {one_line(fault.evalue)}"
        except Exception as fault:  # a dead kernel, a time-out, no kernel: each library has its own
            error = f"{type(fault).__name__}: {one_line(fault)}"
        notebook = nbformat.read(copy if copy.exists() else path, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", ())
    ]
    return notebook, error


def _write_index(out: Path, cards: list[Card]) -> None:
    """The index of everything in the folder: this run's cards over those of earlier runs."""
    from fns_lab.views import page

    known = {card.name: card for card in _earlier(out)} | {card.name: card for card in cards}
    known = [known[name] for name in sorted(known)]
    with atomic_write(out / _STATE) as temporary:
        temporary.write_text(json.dumps([asdict(card) for card in known], indent=1), encoding="utf-8")
    with atomic_write(out / "index.html") as temporary:
        temporary.write_text(page.index_page(known), encoding="utf-8")


def _earlier(out: Path) -> list[Card]:
    try:
        cards = [Card(**fields) for fields in json.loads((out / _STATE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return [card for card in cards if (out / card.html).is_file() and Path(card.source).is_file()]
