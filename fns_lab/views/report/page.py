"""The HTML of a report: one page per notebook and an index. Each page is one file that loads no other."""

from __future__ import annotations

import base64
import html
import os
import re
from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from fns_lab.views.frame import framed, read
from fns_lab.views.report.compare import NotebookPair
from fns_lab.views.report.recording import CSV
from fns_lab.views.report.run import Run
from fns_lab.views.report.tables import html_of, timed

if TYPE_CHECKING:
    from nbformat import NotebookNode

IMAGE_TAG = "thumbnail"
"""The notebook's card shows the image of the cell with this tag; without such a cell, the last image."""
FIGURES_TAG = "key-figures"
"""The notebook's card shows what cells with this tag print; without such a cell, the last line with a number."""
MOST_FIGURES = 4
"""Lines of figures on a card."""

NUMBER = re.compile(r"<td>(?=[-+]?[\d.,]+(?:e[-+]?\d+)?</td>)")
"""The start of a table's cell that holds a number, which is not broken into two lines."""

_MIME_TYPES = ("text/html", "image/svg+xml", "image/png", "image/jpeg", "text/markdown", "text/plain")
"""MIME types that a report shows of an output, best first: no script, no widget. Our widgets have `text/html` too."""

_MARKUP = re.compile(r"[*_`]|\[([^]]*)\]\([^)]*\)")
"""Markdown's emphasis, code and links; of a link, group 1 is the text."""

INDEX_TITLE = "Fast neural style, converted and checked"
"""Title of a report without one."""


@dataclass(frozen=True)
class Card:
    """What the index shows of one notebook. Files are named relative to the report's folder.

    - `name`: the notebook's file name without suffix
    - `source`: the notebook's own path; a card is dropped from the index once that file is gone
    - `title`: the notebook's first heading
    - `question`: the paragraph after it, or ""
    - `html`: the notebook's page
    - `pdf`: the same as PDF, or None
    - `image`: the image on the card, or None
    - `figures`: lines with its most important numbers
    - `time_s`: duration of the run, in seconds
    - `error`: None, or the error of the failed cell in one line
    """

    name: str
    source: str
    title: str
    question: str
    html: str
    pdf: str | None
    image: str | None
    figures: tuple[str, ...]
    time_s: float
    error: str | None


@dataclass(frozen=True)
class Style:
    """How pages are written: the report's `title` and `author`, or "", and whether they show `code`."""

    title: str = ""
    author: str = ""
    code: bool = True


def title_and_question(notebook: NotebookNode, name: str) -> tuple[str, str]:
    """Return the notebook's first heading and the paragraph after it as plain text; `name` and "" without a heading."""
    first = next((cell.source for cell in notebook.cells if cell.cell_type == "markdown"), "")
    blocks = [" ".join(block.split()) for block in first.split("\n\n") if block.strip()]
    if not blocks or not blocks[0].startswith("# "):
        return name, ""
    title, question = (_MARKUP.sub(r"\1", block) for block in (blocks[0].removeprefix("# "), "".join(blocks[1:2])))
    return title, question


def thumbnail(notebook: NotebookNode) -> tuple[bytes, str] | None:
    """Return the content and suffix of the image file for the notebook's card, or None if it shows no image."""
    latest = None
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            image = _image(output.get("data", {}))
            if image and IMAGE_TAG in cell.metadata.get("tags", ()):
                return image
            latest = image or latest
    return latest


def _image(data: dict[str, str]) -> tuple[bytes, str] | None:
    for kind, suffix in (("image/png", "png"), ("image/jpeg", "jpg")):
        if kind in data:
            return base64.b64decode(data[kind]), suffix
    inline = re.search(r"data:image/(png|jpeg|svg)[^;]*;base64,([\w+/=]+)", data.get("text/html", ""))
    return (base64.b64decode(inline[2]), inline[1]) if inline else None


def key_figures(notebook: NotebookNode) -> tuple[str, ...]:
    """Return the lines that the notebook's card shows."""
    tagged: list[str] = []
    latest: list[str] = []
    for cell in notebook.cells:
        printed = "".join(o.text for o in cell.get("outputs", ()) if o.get("name") == "stdout").splitlines()
        lines = [line.strip() for line in printed if re.search(r"\d", line)]
        if FIGURES_TAG in cell.metadata.get("tags", ()):
            tagged += lines
        latest = lines[-1:] or latest
    return tuple((tagged or latest)[:MOST_FIGURES])


def notebook_page(run: Run, card: Card, style: Style, link: Callable[[str], str]) -> str:
    """Return the HTML page of a notebook that has run; its tables can be sorted and searched.

    `link` turns a link of the notebook into one of the page.
    """
    body = NUMBER.sub('<td class="number">', _linked(_body(run.notebook, card, style), link))
    timings = timed(run.data)
    return _page(
        f"{style.title}: {card.title}" if style.title else card.title,
        body,
        style,
        template="notebook.html.j2",
        card=card,
        run=run,
        report_title=style.title,
        timings=html_of(timings) if len(timings) else "",
    )


def index_page(cards: Iterable[Card], style: Style, *, docs: str, comparison: str) -> str:
    """Return the HTML page that links to the page of every card, to `docs` and to `comparison` unless they are ""."""
    values: dict[str, Any] = {"cards": list(cards), "docs": docs, "comparison": comparison}
    return _page(style.title or INDEX_TITLE, "", style, template="index.html.j2", **values)


def compare_page(pairs: Sequence[NotebookPair], style: Style, a: Path, b: Path, summary: str) -> str:
    """Return the HTML page that shows the figures of the reports in the folders `a` and `b` side by side."""
    title = f"{style.title}: two reports" if style.title else "Two reports"
    values: dict[str, Any] = {"notebooks": pairs, "a": a.resolve(), "b": b.resolve(), "summary": summary}
    return _page(title, "", style, template="compare.html.j2", **values)


def relative_link(source: Path, out: Path, notebooks: Iterable[Path]) -> Callable[[str], str]:
    """Return the function that turns a link of the notebook `source` into one of its page in `out`.

    A notebook with a page in the report, one of `notebooks`, becomes that page; a document whose page is in the
    report's `docs`, that one; any other file is linked where it is.
    """
    pages = {notebook.resolve() for notebook in notebooks}

    def turned(link: str) -> str:
        path, sign, anchor = link.partition("#")
        if not path or re.match(r"[a-zA-Z][a-zA-Z+.-]*:|//", path):
            return link
        file = (source.resolve().parent / unquote(path)).resolve()
        document = out / "docs" / f"{file.stem}.html"
        if file in pages:
            target = f"{file.stem}.html"
        elif file.suffix == ".md" and file.parent.name == "docs" and document.is_file():
            target = f"docs/{document.name}"
        else:
            target = Path(os.path.relpath(file, out.resolve())).as_posix()
        return quote(target) + sign + anchor

    return turned


def _linked(body: str, link: Callable[[str], str]) -> str:
    pattern = r'(?<!class="csv" )href="([^"]*)"'
    return re.sub(pattern, lambda match: f'href="{html.escape(link(html.unescape(match[1])))}"', body)


def _body(notebook: NotebookNode, card: Card, style: Style) -> str:
    """Return nbconvert's bare HTML of the cells, each output in the best of `_MIME_TYPES`."""
    from nbconvert import HTMLExporter
    from nbconvert.preprocessors import CoalesceStreamsPreprocessor
    from traitlets.config import Config

    notebook = deepcopy(notebook)
    notebook.metadata.pop("widgets", None)
    for cell in notebook.cells:
        for output in cell.get("outputs", ()):
            _prepare(output, card)
    exporter = HTMLExporter(
        config=Config({"NbConvertBase": {"display_data_priority": list(_MIME_TYPES)}}),
        template_name="basic",
        preprocessors=[CoalesceStreamsPreprocessor(enabled=True)],
        embed_images=True,
        exclude_input=not style.code,
        exclude_input_prompt=True,
        exclude_output_prompt=True,
    )
    body: str
    body, _ = exporter.from_notebook_node(notebook, {"metadata": {"path": str(Path(card.source).parent)}})
    return body


def _prepare(output: NotebookNode, card: Card) -> None:
    """Keep only the representations in `_MIME_TYPES`, and link a table to its CSV file."""
    if "data" not in output:
        return
    file = output.data.get(CSV)
    output.data = {kind: text for kind, text in output.data.items() if kind in _MIME_TYPES} or {"text/plain": ""}
    if file and "text/html" in output.data:
        output.data["text/html"] += f'<a class="csv" href="{quote(card.name)}/{file}">CSV</a>'


def _page(title: str, body: str, style: Style, *, template: str, **values: Any) -> str:
    """Return a page; where it has a table, with the library that sorts and searches it."""
    from pygments.formatters import HtmlFormatter

    styles, scripts = [HtmlFormatter(style="default").get_style_defs(".highlight")], ""
    if 'class="dataframe' in body or values.get("timings") or template == "compare.html.j2":
        library, css = _datatables()
        styles = [css, *styles]
        scripts = f'<script type="text/plain" id="datatables">{library}</script>\n<script>{read("tables.js")}</script>'
    kind = template.partition(".")[0]
    own = _own_scripts(body)
    return framed(
        title, body, attributes=f'class="{kind}"', styles=styles, scripts=scripts, allowed=own, template=template,
        author=style.author, **values,
    )  # fmt: skip


def _own_scripts(body: str) -> list[str]:
    """Return the scripts of outputs that may run: that of an interactive preview."""
    if "fns-preview" not in body:
        return []
    from fns_lab.views.widgets.still import script

    return [script()]


def _datatables() -> tuple[str, str]:
    """Return the script and the style sheet of itables' copy of DataTables, which need no network."""
    import itables

    bundle = Path(itables.__file__).parent / "html" / "dt_bundle.js"
    library, css = (bundle.with_suffix(suffix).read_text(encoding="utf-8") for suffix in (".js", ".css"))
    return library.replace("</script", "<\\/script"), css
