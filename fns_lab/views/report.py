"""Run notebooks and write each as one HTML file that opens offline, with a card in `index.html`.

The files load nothing: images are embedded, and a widget or frame is replaced by its `text/html` representation.
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
from fns_lab.views import page
from fns_lab.views.page import Card

if TYPE_CHECKING:
    from nbformat import NotebookNode

CELL_TIMEOUT_S = 600
"""A cell that runs longer is stopped and counts as failed, in seconds."""

_STATE = "index.json"
"""File in the report's folder that keeps the cards for the next run."""


@dataclass(frozen=True)
class Report:
    """The result of `run_notebooks`. True if there was a notebook and none failed.

    - `index`: path of the page that links to all others
    - `cards`: one `Card` per notebook of this run, in the order in which they ran
    """

    index: Path
    cards: tuple[Card, ...]

    def __bool__(self) -> bool:
        return bool(self.cards) and not any(card.error for card in self.cards)

    def __str__(self) -> str:
        failed = [card.name for card in self.cards if card.error]
        result = f"{len(failed)} failed ({', '.join(failed)})" if failed else "none failed"
        notebooks = f"{len(self.cards)} notebook{'s' * (len(self.cards) != 1)}"
        return f"{notebooks}, {sum(c.time_s for c in self.cards):.0f} s, {result}: {self.index}"

    def to_json(self) -> dict[str, Any]:
        """Return the report as `{"index", "ok", "notebooks": [a Card's fields]}`."""
        return {"index": str(self.index), "ok": bool(self), "notebooks": [asdict(card) for card in self.cards]}


def run_notebooks(
    paths: Iterable[str | os.PathLike[str]] | None = None,
    out: str | os.PathLike[str] = REPORTS,
    *,
    parameters: dict[str, Any] | None = None,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Run notebooks, write `out/NAME.html` for each, and an `out/index.html` that also lists those of earlier runs.

    `paths`: the notebooks; None: all of `notebooks/`. `parameters` replace values of each notebook's parameters cell.
    `say` is called with one line before and one after each notebook. A notebook that fails is written up to the failed
    cell, and the others still run. Raises `InputError` for a path that is no notebook, before any runs.
    """
    notebooks = _checked(sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) if paths is None else list(map(Path, paths)))
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    say = say or (lambda line: None)
    cards: list[Card] = []
    for i, path in enumerate(notebooks, 1):
        say(f"[{i}/{len(notebooks)}] {path.name}: running")
        card = _run(path, folder, parameters or {})
        cards.append(card)
        say(f"[{i}/{len(notebooks)}] {path.name}: {card.error or 'good'}, {card.time_s:.0f} s")
        _write_index(folder, cards)
    return Report(folder / "index.html", tuple(cards))


def _checked(paths: list[Path]) -> list[Path]:
    import nbformat

    if not paths:
        raise InputError(f"{NOTEBOOKS}: no notebooks in this folder")
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
            raise InputError(f"{name}: given twice; the names of a report's notebooks must differ")
    return paths


def _run(path: Path, out: Path, parameters: dict[str, Any]) -> Card:
    """Run a notebook, write its page and the image of its card, and return the card."""
    started = time.perf_counter()
    notebook, error = _execute(path, parameters)
    time_s = time.perf_counter() - started
    title, question = page.title_and_question(notebook, path.stem)
    image_name = None
    if image := page.thumbnail(notebook):
        image_name = f"{path.stem}.{image[1]}"
        with atomic_write(out / image_name) as temporary:
            temporary.write_bytes(image[0])
    card = Card(
        name=path.stem,
        source=str(path.resolve()),
        title=title,
        question=question,
        html=f"{path.stem}.html",
        image=image_name,
        time_s=round(time_s, 1),
        error=error,
    )
    with atomic_write(out / card.html) as temporary:
        temporary.write_text(page.notebook_page(notebook, card), encoding="utf-8")
    return card


def _execute(path: Path, parameters: dict[str, Any]) -> tuple[NotebookNode, str | None]:
    """Return the notebook with its outputs, and the error of the cell that failed or None."""
    import nbformat

    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of papermill's own libraries; the warnings of a cell are in its output
        import papermill

        copy, error = Path(folder, path.name), None
        try:
            papermill.execute_notebook(
                str(path),
                str(copy),
                parameters=parameters,
                cwd=str(path.resolve().parent),
                kernel_name="python3",  # the Python that runs this, whatever the file was saved with
                language="python",
                progress_bar=False,
                extra_arguments=["--IPKernelApp.log_level=ERROR"],  # it warns about TCP at every start
                execution_timeout=CELL_TIMEOUT_S,
            )
        except papermill.PapermillExecutionError as fault:
            error = f"cell {fault.exec_count}: {fault.ename}: {one_line(fault.evalue)}"
        except Exception as fault:  # a dead kernel, a timeout, no kernel: each library has its own class
            error = f"{type(fault).__name__}: {one_line(fault)}"
        notebook = nbformat.read(copy if copy.exists() else path, as_version=4)
    notebook.cells = [
        cell for cell in notebook.cells if "papermill-error-cell-tag" not in cell.metadata.get("tags", ())
    ]
    return notebook, error


def _write_index(out: Path, cards: list[Card]) -> None:
    """Write the index of the folder; this run's cards replace those of earlier runs."""
    by_name = {card.name: card for card in _earlier_cards(out)} | {card.name: card for card in cards}
    listed = [by_name[name] for name in sorted(by_name)]
    with atomic_write(out / _STATE) as temporary:
        temporary.write_text(json.dumps([asdict(card) for card in listed], indent=1), encoding="utf-8")
    with atomic_write(out / "index.html") as temporary:
        temporary.write_text(page.index_page(listed), encoding="utf-8")


def _earlier_cards(out: Path) -> list[Card]:
    try:
        cards = [Card(**fields) for fields in json.loads((out / _STATE).read_text(encoding="utf-8"))]
    except (OSError, ValueError, TypeError):
        return []
    return [card for card in cards if (out / card.html).is_file() and Path(card.source).is_file()]
