"""Run notebooks and write each as one HTML file that opens offline, with a card in `index.html`.

The files load nothing: images are embedded, and a widget or frame is replaced by its `text/html` representation. Beside
`NAME.html` a folder `NAME` has every table and every timed run as CSV.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from fns_lab.errors import InputError, one_line
from fns_lab.files import atomic_folder, write_bytes, write_text
from fns_lab.measure.machine import machine_facts
from fns_lab.paths import NOTEBOOKS, REPORTS
from fns_lab.views.report import compare, page
from fns_lab.views.report.page import Card, Style
from fns_lab.views.report.parameters import assigned
from fns_lab.views.report.pdf import write_pdf
from fns_lab.views.report.run import Run, run

__all__ = ["Card", "Report", "Style", "run_notebooks"]

_STATE = "index.json"
"""File in the report's folder that keeps the cards for the next run."""
_COMPARISON = "compare.html"
_DOCS = "docs/index.html"


@dataclass(frozen=True)
class Report:
    """The result of `run_notebooks`. True if there was a notebook and none failed.

    - `index`: path of the page that links to all others
    - `cards`: one `Card` per notebook of this run, in the order in which they ran
    - `comparison`: path of the page that compares it with another report, or None
    - `differences`: how many figures differ from those of the other report, in one sentence, or ""
    """

    index: Path
    cards: tuple[Card, ...]
    comparison: Path | None = None
    differences: str = ""

    def __bool__(self) -> bool:
        return bool(self.cards) and not any(card.error for card in self.cards)

    def __str__(self) -> str:
        failed = [card.name for card in self.cards if card.error]
        result = f"{len(failed)} failed ({', '.join(failed)})" if failed else "none failed"
        notebooks = f"{len(self.cards)} notebook{'s' * (len(self.cards) != 1)}"
        text = f"{notebooks}, {sum(c.time_s for c in self.cards):.0f} s, {result}: {self.index}"
        return f"{text}\n{self.differences} {self.comparison}" if self.comparison else text

    def to_json(self) -> dict[str, Any]:
        """Return the report as `{"index", "ok", "notebooks": [a Card's fields]}`."""
        return {"index": str(self.index), "ok": bool(self), "notebooks": [asdict(card) for card in self.cards]}


def run_notebooks(
    paths: Iterable[str | os.PathLike[str]] | None = None,
    out: str | os.PathLike[str] = REPORTS,
    *,
    parameters: Mapping[str, Any] | None = None,
    style: Style | None = None,
    pdf: bool = False,
    compare_with: str | os.PathLike[str] | None = None,
    say: Callable[[str], None] | None = None,
) -> Report:
    """Run notebooks, write `out/NAME.html` for each, and an `out/index.html` that also lists those of earlier runs.

    - `paths`: the notebooks; None: all of `notebooks/`
    - `parameters`: values for the notebooks' parameters cells; a notebook takes those that it has
    - `style`: title and author of the report, and whether its pages show code
    - `pdf`: also print each page as `out/NAME.pdf`
    - `compare_with`: folder of another report, whose figures `out/compare.html` shows beside those of this one
    - `say`: called with one line before and one after each notebook

    A notebook that fails is written up to the failed cell, and the others still run. Raises `InputError` before any
    runs, for a path that is no notebook, a parameter that none has, or a folder without a report. Every file appears
    whole or not at all.
    """
    notebooks = _checked(sorted(NOTEBOOKS.glob("[0-9]*.ipynb")) if paths is None else list(map(Path, paths)))
    values = assigned(notebooks, parameters or {})
    other = compare.checked(Path(compare_with)) if compare_with else None
    facts = machine_facts()
    style, say = style or Style(), say or (lambda line: None)
    writer = _Writer(Path(out), style, notebooks, pdf=pdf)
    for i, path in enumerate(notebooks, 1):
        say(f"[{i}/{len(notebooks)}] {path.name}: running")
        card = writer.write(path, run(path, values[os.fspath(path)], facts))
        say(f"[{i}/{len(notebooks)}] {path.name}: {card.error or 'good'}, {card.time_s:.0f} s")
    return writer.finish(other)


def _checked(paths: Sequence[Path]) -> Sequence[Path]:
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


@dataclass
class _Writer:
    """Writes the files of a report to its folder. `notebooks` are those that this run writes."""

    out: Path
    style: Style
    notebooks: Sequence[Path]
    pdf: bool
    cards: list[Card] = field(default_factory=list)

    def write(self, path: Path, ran: Run) -> Card:
        """Write the page of a notebook, its data and its card's image, and return the card."""
        self.out.mkdir(parents=True, exist_ok=True)
        title, question = page.title_and_question(ran.notebook, path.stem)
        image = page.thumbnail(ran.notebook)
        card = Card(
            name=path.stem,
            source=str(path.resolve()),
            title=title,
            question=question,
            html=f"{path.stem}.html",
            pdf=f"{path.stem}.pdf" if self.pdf else None,
            image=f"{path.stem}.{image[1]}" if image else None,
            figures=page.key_figures(ran.notebook),
            time_s=ran.time_s,
            error=ran.error,
        )
        with atomic_folder(self.out / card.name) as folder:
            for name, text in ran.data.items():
                (folder / name).write_text(text, encoding="utf-8")
            facts = {"started": ran.started, "machine": ran.machine, "methods": ran.methods}
            (folder / compare.FACTS).write_text(json.dumps(facts, indent=1), encoding="utf-8")
        if image and card.image:
            write_bytes(self.out / card.image, image[0])
        earlier = self._earlier()
        link = page.relative_link(path, self.out, [*self.notebooks, *(Path(each.source) for each in earlier)])
        self._write_text(card.html, page.notebook_page(ran, card, self.style, link))
        if card.pdf:
            printed = {each.stem for each in self.notebooks} | {each.name for each in earlier if each.pdf}
            write_pdf(self.out / card.html, self.out / card.pdf, printed)
        self.cards.append(card)
        self._write_index()
        return card

    def finish(self, other: Path | None) -> Report:
        """Write the comparison with another report, if there is one, and return the result."""
        if other is None:
            return Report(self.out / "index.html", tuple(self.cards))
        pairs = compare.pairs(self.out, other, [card.name for card in self.cards])
        differences = compare.summary(pairs)
        self._write_text(_COMPARISON, page.compare_page(pairs, self.style, self.out, other, differences))
        self._write_index()
        return Report(self.out / "index.html", tuple(self.cards), self.out / _COMPARISON, differences)

    def _write_index(self) -> None:
        """Write the index of the folder; this run's cards replace those of earlier runs."""
        by_name = {card.name: card for card in (*self._earlier(), *self.cards)}
        listed = [by_name[name] for name in sorted(by_name)]
        docs, comparison = (name if (self.out / name).is_file() else "" for name in (_DOCS, _COMPARISON))
        self._write_text(_STATE, json.dumps([asdict(card) for card in listed], indent=1))
        self._write_text("index.html", page.index_page(listed, self.style, docs=docs, comparison=comparison))

    def _earlier(self) -> list[Card]:
        try:
            entries = json.loads((self.out / _STATE).read_text(encoding="utf-8"))
            cards = [Card(**fields | {"figures": tuple(fields["figures"])}) for fields in entries]
        except (OSError, ValueError, TypeError, KeyError):
            return []
        return [card for card in cards if (self.out / card.html).is_file() and Path(card.source).is_file()]

    def _write_text(self, name: str, text: str) -> None:
        write_text(self.out / name, text)
